"""The words: what Milepost speaks of. Nothing here knows Beam but the coders.

Read in this order: stages (the vocabulary), fields (types, and how Arrow follows from them), events (what
comes in), rows (what goes out), tables (the lake), alerts (kinds and states), rejections, policy (limits).
"""

package org.apache.beam.runners.fnexecution.control;

import java.util.Collections;
import java.util.Map;
import java.util.Queue;
import java.util.UUID;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.BundleApplication;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.DelayedBundleApplication;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.ProcessBundleResponse;
import org.apache.beam.runners.core.StateInternals;
import org.apache.beam.runners.core.StateInternalsFactory;
import org.apache.beam.runners.core.StateNamespace;
import org.apache.beam.runners.core.StateNamespaces;
import org.apache.beam.runners.core.StateTags;
import org.apache.beam.runners.core.TimerInternals;
import org.apache.beam.runners.core.TimerInternalsFactory;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.CoderException;
import org.apache.beam.sdk.state.TimeDomain;
import org.apache.beam.sdk.transforms.windowing.BoundedWindow;
import org.apache.beam.sdk.util.CoderUtils;
import org.apache.beam.sdk.util.WindowedValue;
import org.apache.beam.vendor.grpc.v1p60p1.com.google.protobuf.Duration;
import org.joda.time.Instant;

/**
 * Keeps what a source has yet to read until it is its turn again. It takes the place of Beam's class of this name.
 *
 * <p>That one gives each residual a state with a name of its own, and an engine keeps names for ever: at every pause of
 * a source checkpoints and Flink's memory grow, by a gigabyte a day (Beam's issue 27648). This one uses a name again once
 * its timer has fired. It may go when the Flink runner in pom.xml is one in which Beam has mended that.
 */
public final class BundleCheckpointHandlers {
  private BundleCheckpointHandlers() {}

  /** Keeps each residual in a state and under a timer of the same name. */
  public static final class StateAndTimerBundleCheckpointHandler<T> implements BundleCheckpointHandler {
    public static final String SDF_PREFIX = "sdf_checkpoint";

    /** Names whose timer has fired, by their handler, for as long as it lives. */
    private static final Map<String, Queue<String>> FREE = Collections.synchronizedMap(new WeakHashMap<>());

    private final TimerInternalsFactory<T> timers;
    private final StateInternalsFactory<T> states;
    private final Coder<WindowedValue<T>> residualCoder;
    private final Coder<BoundedWindow> windowCoder;
    private final Queue<String> free = new ConcurrentLinkedQueue<>();
    // Not shared with an earlier life, whose residuals may be waiting still.
    private final String own = SDF_PREFIX + ":" + UUID.randomUUID();
    private int made = 0;

    @SuppressWarnings({"unchecked", "rawtypes"})
    public StateAndTimerBundleCheckpointHandler(
        TimerInternalsFactory<T> timers,
        StateInternalsFactory<T> states,
        Coder<WindowedValue<T>> residualCoder,
        Coder windowCoder) {
      this.timers = timers;
      this.states = states;
      this.residualCoder = residualCoder;
      this.windowCoder = windowCoder;
      FREE.put(own, free);
    }

    /** Tell whether a timer is a residual's. Asked when it fires, and the residual is read before anything else. */
    public static boolean isSdfTimer(String timer) {
      if (!timer.startsWith(SDF_PREFIX)) {
        return false;
      }
      Queue<String> names = FREE.get(timer.substring(0, Math.max(0, timer.lastIndexOf(':'))));
      if (names != null) {
        names.add(timer);
      }
      return true;
    }

    @Override
    public void onCheckpoint(ProcessBundleResponse response) {
      for (DelayedBundleApplication residual : response.getResidualRootsList()) {
        if (residual.hasApplication()) {
          keep(residual);
        }
      }
    }

    private void keep(DelayedBundleApplication residual) {
      WindowedValue<T> rest = decode(residual.getApplication());
      Duration delay = residual.getRequestedTimeDelay();
      Instant due = Instant.now().plus(millis(delay.getSeconds(), delay.getNanos()));
      Instant hold = hold(residual.getApplication());
      TimerInternals timer = timers.timerInternalsForKey(rest.getValue());
      StateInternals state = states.stateInternalsForKey(rest.getValue());
      for (BoundedWindow window : rest.getWindows()) {
        String name = name();
        StateNamespace namespace = StateNamespaces.window(windowCoder, window);
        timer.setTimer(namespace, name, "", due, hold, TimeDomain.PROCESSING_TIME);
        state
            .state(namespace, StateTags.value(name, residualCoder))
            .write(WindowedValue.of(rest.getValue(), rest.getTimestamp(), window, rest.getPane()));
      }
    }

    private WindowedValue<T> decode(BundleApplication rest) {
      try {
        return CoderUtils.decodeFromByteArray(residualCoder, rest.getElement().toByteArray());
      } catch (CoderException fault) {
        throw new IllegalStateException("What a source has yet to read cannot be decoded", fault);
      }
    }

    /** Give the time up to which the residual holds the watermark back: that of its slowest output. */
    private static Instant hold(BundleApplication rest) {
      return rest.getOutputWatermarksMap().values().stream()
          .map(mark -> Instant.ofEpochMilli(millis(mark.getSeconds(), mark.getNanos())))
          .min(Instant::compareTo)
          .filter(BoundedWindow.TIMESTAMP_MIN_VALUE::isBefore)
          .map(mark -> mark.isBefore(BoundedWindow.TIMESTAMP_MAX_VALUE) ? mark : BoundedWindow.TIMESTAMP_MAX_VALUE)
          .orElse(BoundedWindow.TIMESTAMP_MIN_VALUE);
    }

    private static long millis(long seconds, int nanos) {
      return seconds * 1_000 + nanos / 1_000_000;
    }

    private String name() {
      String name = free.poll();
      return name != null ? name : own + ":" + made++;
    }
  }
}

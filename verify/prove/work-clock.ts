/** A clock that goes by what a process gets done: on a machine that is busy with something else, as much is done in its time as on an idle one. */

/** Beside a busy machine's other work a process still gets this share: what gets less waits for something else. */
const LEAST_SHARE = 1 / 10;

export interface Clocks {
  /** Milliseconds that have gone by. */
  readonly time: () => number;
  /** Milliseconds that the process has been running, all of its threads together. */
  readonly work: () => number;
}

const OWN: Clocks = {
  time: () => performance.now(),
  work: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/** @returns milliseconds, which go by as fast as time does where the process has run all the while, and never faster */
export function workClock({ time, work }: Clocks = OWN): () => number {
  let shown = 0;
  let [lastTime, lastWork] = [time(), work()];
  return () => {
    const [timeNow, workNow] = [time(), work()];
    const passed = timeNow - lastTime;
    shown += Math.max(Math.min(passed, workNow - lastWork), passed * LEAST_SHARE);
    [lastTime, lastWork] = [timeNow, workNow];
    return shown;
  };
}

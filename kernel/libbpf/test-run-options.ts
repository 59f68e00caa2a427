/** What `BPF_PROG_TEST_RUN` is told, where that is little: the hot loop fills its own options (`PacketRunner`). */
import { TEST_RUN_OPTS } from './layouts.ts';
import { addressOf } from './libbpf.ts';

/**
 * `struct bpf_test_run_opts` for runs on a frame, without a context, of which nothing is to come out.
 * @param frame is read while the program runs: it has to live as long
 */
export function testRunOptions(frame: Uint8Array, repeat: number): DataView {
  const options = new DataView(new ArrayBuffer(TEST_RUN_OPTS.size));
  options.setUint32(TEST_RUN_OPTS.sz, TEST_RUN_OPTS.size, true);
  options.setBigUint64(TEST_RUN_OPTS.data_in, BigInt(addressOf(frame)), true);
  options.setUint32(TEST_RUN_OPTS.data_size_in, frame.length, true);
  options.setUint32(TEST_RUN_OPTS.repeat, repeat, true);
  return options;
}

/** The entry of a worker process of `xdpsim verify`: it does not outlive its parent, not even while it loads the rest. */
import { dieWithParent } from '../../kernel/process/parent-death.ts';
import { ignoreSignals } from '../interrupt.ts';

// Signals are the main process's business: Ctrl-C reaches the whole group.
ignoreSignals();
process.on('disconnect', () => process.exit());
dieWithParent();
void import('./work-process.ts');

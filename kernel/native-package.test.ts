import { expect, it } from 'vitest';
import { problemOf } from './native-package.ts';

it('says which version of Node a package was built for, and how to build it for this one', () => {
  const message =
    "The module '/x/cap/build/Release/cap.node'\nwas compiled against a different Node.js version using\n" +
    'NODE_MODULE_VERSION 83. This version of Node.js requires\nNODE_MODULE_VERSION 127.';
  expect(problemOf('cap', message)).toEqual({
    reason: `the package cap was built for NODE_MODULE_VERSION 83, and this is Node ${process.versions.node}`,
    remedy: 'npm rebuild cap',
  });
  const other = process.versions.modules === '108' ? ['115', '20'] : ['108', '18'];
  expect(problemOf('raw-socket', message.replace('83', other[0]!))).toEqual({
    reason: `the package raw-socket was built for Node ${other[1]}, and this is Node ${process.versions.node}`,
    remedy: 'npm rebuild raw-socket',
  });
});

it('says what building takes where it was never built, and where a library is missing', () => {
  expect(problemOf('cap', "Cannot find module 'cap'\nRequire stack:\n- /x")).toEqual({
    reason: 'the package cap is not built',
    remedy: 'apt-get install build-essential python3 libpcap-dev && npm rebuild cap',
  });
  expect(problemOf('cap', 'libpcap.so.0.8: cannot open shared object file').reason).toBe(
    'the package cap cannot be loaded (libpcap.so.0.8: cannot open shared object file)',
  );
});

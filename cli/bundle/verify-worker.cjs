'use strict';
require('./load.cjs')('verifyWorker');

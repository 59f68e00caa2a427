/** The error numbers that maps and helpers answer with (include/uapi/asm-generic/errno-base.h, errno.h). */
export const ENOENT = 2;
export const E2BIG = 7;
export const ENOMEM = 12;
export const EACCES = 13;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const EOPNOTSUPP = 95;

/** What a `uniform` mutation fills, and with what. Imported as `UNIFORM`, for the reason that `mutation-bits.ts` gives. */
export const none = 0;
export const zeroMessage = 1;
export const zeroPayload = 2;
export const onesPayload = 3;
export const onesMessage = 4;

/** The part of the package `cap` that is used here; it brings no types of its own. */
declare module 'cap' {
  export class Cap {
    /**
     * Opens a device for sending and receiving, and delivers frames as `packet` events from then on.
     * @param filter in the language of pcap-filter(7)
     * @param bufferSize bytes of the ring that kernel and libpcap share
     * @param buffer where each frame is put before its event
     * @returns the link type: `ETHERNET`
     */
    open(device: string, filter: string, bufferSize: number, buffer: Buffer): string;
    on(event: 'packet', listener: (length: number, truncated: boolean) => void): this;
    /** @param length how many bytes of `frame` to send */
    send(frame: Buffer, length: number): void;
    close(): boolean;
  }
}

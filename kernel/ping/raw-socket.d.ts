/** The part of the package `raw-socket` that is used here; it brings no types of its own. */
declare module 'raw-socket' {
  export interface Socket {
    /** ICMP arrives with its IPv4 header, ICMPv6 without its IPv6 header. `source` is the sender's address in text. */
    on(event: 'message', listener: (buffer: Buffer, source: string) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'close', listener: () => void): this;
    /** Sends from the ICMP header on; the kernel fills in the checksum of ICMPv6. */
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      afterSend: (error: Error | null, bytes: number) => void,
    ): this;
    close(): this;
  }
  export const AddressFamily: { readonly IPv4: number; readonly IPv6: number };
  export const Protocol: { readonly ICMP: number; readonly ICMPv6: number };
  export function createSocket(options: {
    readonly addressFamily: number;
    readonly protocol: number;
    readonly bufferSize?: number;
  }): Socket;
}

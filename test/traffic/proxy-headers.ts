import { isIPv4 } from 'node:net';

/** The line of version 1 as HAProxy writes it. */
export function proxyV1(address: string, port: number): Buffer {
  const isFour = isIPv4(address);
  const own = isFour ? '192.0.2.1' : '2001:db8::1';
  return Buffer.from(`PROXY ${isFour ? 'TCP4' : 'TCP6'} ${address} ${own} ${port} 443\r\n`, 'latin1');
}

/** The binary header of version 2, with an extension as load balancers add them. */
export function proxyV2(address: string, port: number): Buffer {
  const source = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : bytesOfIPv6(address);
  const extension = Buffer.from([0x05, 0, 3, 1, 2, 3]);
  const rest = Buffer.concat([source, Buffer.alloc(source.length), portOf(port), portOf(443), extension]);
  const fixed = Buffer.from([0x21, source.length === 4 ? 0x11 : 0x21, 0, 0]);
  fixed.writeUInt16BE(rest.length, 2);
  return Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), fixed, rest]);
}

function portOf(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}

function bytesOfIPv6(address: string): Buffer {
  const withoutFour = address.replace(/[\d.]+\.[\d.]+$/, (four) => {
    const [a = 0, b = 0, c = 0, d = 0] = four.split('.').map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = withoutFour.split('::');
  const groupsOf = (text: string) => (text === '' ? [] : text.split(':'));
  const first = groupsOf(head);
  const last = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array<string>(8 - first.length - last.length).fill('0');
  return Buffer.concat([...first, ...zeros, ...last].map((group) => portOf(Number.parseInt(group, 16))));
}

/** Where tests put a header: an odd offset, so that code which takes no notice of `at` fails. */
export const AT = 3;

/** The octets written in `hex` from AT to the end of the view: reading beyond them is a RangeError. */
export function literal(hex: string): DataView {
  const view = blank(hex.length / 2);
  for (let i = 0; i < hex.length / 2; i++)
    view.setUint8(AT + i, Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  return view;
}

/** `length` octets from AT to the end of the view, none of them zero: a builder must write every one. */
export function blank(length: number): DataView {
  return new DataView(new Uint8Array(AT + length).fill(0xee).buffer);
}

/** What stands from AT to the end, or to `length` octets. */
export function hexOf(view: DataView, length = view.byteLength - AT): string {
  return Buffer.from(view.buffer, AT, length).toString('hex');
}

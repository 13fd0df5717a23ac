import { AddressError, formatMac, parseMac } from '../../wire/address.js';
import { invalid } from '../errors.js';

/** A MAC address that one station can have, in canonical form. @throws PodwireError INVALID naming the field */
export function parseStation(field: string, text: string): string {
  try {
    const { hi, lo } = parseMac(text);
    // The group bit (IEEE 802-2014 section 8.2.2): no station has such an address.
    if ((hi >>> 8) & 1 || (hi === 0 && lo === 0)) throw invalid(field, `${text} is no address of a station`);
    return formatMac(hi, lo);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(field, error.message);
    throw error;
  }
}

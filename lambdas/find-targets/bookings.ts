/**
 * Firings share one bucket of CreateSnapshots calls, so they take their turns one after the other: a firing books the
 * time that its own turns take, and the next one begins when that is over. The bookings are one small object in S3,
 * which is only replaced as it was read.
 */

export interface Booking {
  fleet: string;
  /** Milliseconds since 1970. `until`: the last member that had a turn is thawed by then. */
  from: number;
  until: number;
}

export interface Ledger {
  read(): Promise<{ bookings: Booking[]; etag: string } | undefined>;
  /** False when somebody else was faster. `replaces`: null where there were none. */
  write(bookings: Booking[], replaces: string | null): Promise<boolean>;
}

/** Tries to be the one who writes; each loses only to another firing that has booked. */
const MOST_TRIES = 20;

/** Books `lengthMs` for a fleet, from `now` on or later. A fleet that asks again gets what it has. */
export const book = async (fleet: string, lengthMs: number, now: number, ledger: Ledger): Promise<Booking> => {
  for (let attempt = 0; attempt < MOST_TRIES; attempt += 1) {
    const known = await ledger.read();
    const bookings = (known?.bookings ?? []).filter(({ until }) => until > now);
    const own = bookings.find((booking) => booking.fleet === fleet);
    if (own) return own;
    const from = Math.max(now, ...bookings.map(({ until }) => until));
    const booking = { fleet, from, until: from + lengthMs };
    if (await ledger.write([...bookings, booking], known?.etag ?? null)) return booking;
  }
  throw new Error(`the time for ${fleet} could not be booked: the bookings changed ${MOST_TRIES} times meanwhile`);
};

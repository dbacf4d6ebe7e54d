export type * from "../reservation/reservation.rules.ts";
export type * from "../reservation/reservation.store.ts";
export { reservations } from "../reservation/reservation.store.ts";
export { createReservations, dropReservations } from "../reservation/schema.ts";

// The refusals of seats. Clients compare `type`.
import { Errors } from "moleculer";
import type { OwnError } from "../../contract/action.ts";
import { notFound } from "../../mixins/errors.ts";
import { ERRORS, MAX_OPEN_HOLDS } from "./seats.contract.ts";

const refusal = ({ status, type }: OwnError, message: string, data?: object) =>
	new Errors.MoleculerClientError(message, status, type, data);

export const noSuchShow = (showId: string) => notFound("There is no such show", { showId });
export const noSuchSeats = (seats: string[]) => notFound("The show has no such seats", { seats });
export const noSuchHold = () => notFound("There is no such hold");
export const notAdmitted = () => refusal(ERRORS.NOT_ADMITTED, "Join the queue of this show, and wait until you are admitted");
export const tooManyHolds = () =>
	refusal(ERRORS.TOO_MANY_HOLDS, `You have ${MAX_OPEN_HOLDS} open holds for this show: confirm or release one first`);
/** `taken`: all of the wanted seats that are not free. */
export const seatsTaken = (taken: string[]) => refusal(ERRORS.SEATS_TAKEN, "Some of these seats are not free", { taken });
export const notEnoughSeats = (requested: number, available: number) =>
	refusal(ERRORS.NOT_ENOUGH_SEATS, "Fewer seats are free than requested", { requested, available });
export const holdExpired = (holdId: string) => refusal(ERRORS.HOLD_EXPIRED, "This hold has ended", { holdId });

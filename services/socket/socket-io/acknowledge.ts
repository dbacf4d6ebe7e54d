// The acknowledgements of Socket.IO clients' events.
import { errorFrame } from "../ws/frames.ts";

type Answer = { ok: true; [field: string]: unknown } | { ok: false; error: { type: string; field?: string } };
export type Acknowledge = (answer: Answer) => void;

/** The client's acknowledgement, which is the last argument of its event; without one nothing is answered. */
export const acknowledgeOf = (values: unknown[]): Acknowledge => {
	const last = values.at(-1);
	return typeof last === "function" ? (last as Acknowledge) : () => {};
};

export const refusal = (type: string) => ({ ok: false, error: { type } }) as const;

/** The refusal without internal details; that of invalid data names the field. */
export function refusalOf(error: unknown) {
	const { type, field } = errorFrame(error).data as { type: string; field?: string };
	return { ok: false, error: field === undefined ? { type } : { type, field } } as const;
}

// The frames of /ws: parses those of clients, and writes errors as frames.
import { Errors } from "moleculer";
import { z } from "zod";
import type { ActionContract } from "../../../contract/action.ts";
import { Id } from "../../../contract/id.ts";
import { type FieldError, invalid, isUnavailable } from "../../../mixins/errors.ts";
import { checkFields } from "../../../mixins/field-errors.ts";
import { readJson, textErrors } from "../../../mixins/json-text.ts";

/** `ip` is accepted and ignored: the server uses the peer's own address. */
const Connect = z.strictObject({ user: Id, ip: z.unknown().optional(), token: z.string().optional() });

export type ClientFrame =
	| { code: "connect"; data: z.output<typeof Connect> }
	| { code: "watch"; data: Record<string, boolean | undefined> }
	| { code: undefined; data: Record<string, unknown> };

const invalidFrame = (field: string, message: string) => invalid([{ field, message }]);

/** Its account or its address has as many sockets as are allowed. */
export const tooManySockets = () => new Errors.MoleculerClientError("You have too many sockets open", 429, "TOO_MANY_SOCKETS");

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);

/** Checks what a client sent with a frame or an event. Throws `VALIDATION_ERROR`. */
export function checked<S extends z.ZodType>(schema: S, data: unknown): z.output<S> {
	const checked = checkFields(schema, data);
	if (!checked.fieldErrors) return checked.data;
	throw invalid(checked.fieldErrors.map(({ field, message }) => ({ field: field || "data", message })));
}

/**
 * Parses frames; `lists` may be watched. The text is undefined for a binary frame. A frame without a code calls the action that accepts such frames.
 * Throws `VALIDATION_ERROR`.
 */
export function frameParser(lists: Iterable<string>): (text: string | undefined) => ClientFrame {
	const Watch = z.strictObject(Object.fromEntries([...lists].map(name => [name, z.boolean().optional()])));

	return text => {
		if (text === undefined) throw invalidFrame("", "send frames as text");
		const { value: frame, unreadable } = readJson(text);
		if (unreadable !== undefined) throw invalidFrame("", `the frame ${unreadable}`);
		if (!isObject(frame)) throw invalidFrame("", "the frame must be a JSON object");
		const isCoded = "code" in frame;
		const errors = textErrors(text, frame);
		// The schemas name the fields of a coded frame as they are within `data`.
		if (errors.length > 0)
			throw invalid(isCoded ? errors.map(error => ({ ...error, field: error.field.replace(/^data\./, "") })) : errors);
		if (!isCoded) return { code: undefined, data: frame };
		const { code, data } = frame;
		if (code === "connect") return { code, data: checked(Connect, data) };
		if (code === "watch") return { code, data: checked(Watch, data) };
		throw invalidFrame("code", "must be connect or watch, or left out");
	};
}

/** The action that is called by frames without a code, and the code of its answers. */
export function codelessAction(contracts: object): { name: string; contract: ActionContract; replyCode: string } {
	for (const [name, contract] of Object.entries(contracts as Record<string, ActionContract>))
		if (contract.replyCode) return { name, contract, replyCode: contract.replyCode };
	throw new Error("no action's contract declares a replyCode, so frames without a code have no action to call");
}

/** The error frame without internal details; `id` is the id that the client gave its call. */
export function errorFrame(error: unknown, id?: unknown) {
	const { type, message, code, data } = error as { type?: string; message: string; code?: number; data?: unknown };
	const answers = typeof id === "string" ? { id } : {};
	if (isUnavailable(error) || code === 503 || code === 504)
		return { code: "error", data: { type: "UNAVAILABLE", message: "Not possible right now, try again later", ...answers } };
	if (typeof code !== "number" || code >= 500 || !type)
		return { code: "error", data: { type: "INTERNAL_ERROR", message: "Something went wrong here", ...answers } };
	const field = type === "VALIDATION_ERROR" && Array.isArray(data) ? { field: (data as FieldError[])[0]?.field } : {};
	return { code: "error", data: { type, message, ...field, ...answers } };
}

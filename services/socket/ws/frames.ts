// What a client may say on /ws, and what it is told when it says something else.
import { Errors } from "moleculer";
import { z } from "zod";
import type { ActionContract } from "../../../contract/action.ts";
import { Id } from "../../../contract/id.ts";
import { type FieldError, invalid, isUnavailable } from "../../../mixins/errors.ts";
import { fieldErrorsOf } from "../../../mixins/field-errors.ts";
import { isDeeperThan, MAX_JSON_DEPTH } from "../../../runtime/http/json-depth.ts";

/** `ip` is accepted and ignored: the peer's own address is what counts. */
const Connect = z.strictObject({ user: Id, ip: z.unknown().optional(), token: z.string().optional() });

export type ClientFrame =
	| { code: "connect"; data: z.output<typeof Connect> }
	| { code: "watch"; data: Record<string, boolean | undefined> }
	| { code: undefined; data: Record<string, unknown> };

const refuse = (field: string, message: string) => invalid([{ field, message }]);

/** Of a socket that would be one too many of its account's, or of its address's. */
export const tooManySockets = () => new Errors.MoleculerClientError("You have too many sockets open", 429, "TOO_MANY_SOCKETS");

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);

function checked<S extends z.ZodType>(schema: S, data: unknown): z.output<S> {
	const parsed = schema.safeParse(data);
	if (parsed.success) return parsed.data;
	throw invalid(fieldErrorsOf(parsed.error).map(({ field, message }) => ({ field: field || "data", message })));
}

/**
 * Reads frames, where these feeds may be watched; undefined: it was not text. A frame without a code is a call of the action that takes those.
 * Throws `VALIDATION_ERROR`.
 */
export function frameParser(feeds: Iterable<string>): (text: string | undefined) => ClientFrame {
	const Watch = z.strictObject(Object.fromEntries([...feeds].map(name => [name, z.boolean().optional()])));

	return text => {
		if (text === undefined) throw refuse("", "send frames as text");
		if (isDeeperThan(text)) throw refuse("", `the frame nests deeper than ${MAX_JSON_DEPTH} levels`);
		let frame: unknown;
		try {
			frame = JSON.parse(text);
		} catch {
			throw refuse("", "the frame is not JSON");
		}
		if (!isObject(frame)) throw refuse("", "the frame must be a JSON object");
		if (!("code" in frame)) return { code: undefined, data: frame };
		const { code, data } = frame;
		if (code === "connect") return { code, data: checked(Connect, data) };
		if (code === "watch") return { code, data: checked(Watch, data) };
		throw refuse("code", "must be connect or watch, or left out");
	};
}

/** The action that takes frames without a code, and the code of its answers. */
export function codelessAction(contracts: object): { name: string; contract: ActionContract; replyCode: string } {
	for (const [name, contract] of Object.entries(contracts as Record<string, ActionContract>))
		if (contract.replyCode) return { name, contract, replyCode: contract.replyCode };
	throw new Error("No action takes frames without a code");
}

/** A frame of 64 KiB can be wrong in ten thousand places: the first few do. */
const MAX_MESSAGE_CHARACTERS = 1_000;
const shortened = (text: string) =>
	text.length <= MAX_MESSAGE_CHARACTERS ? text : `${text.slice(0, MAX_MESSAGE_CHARACTERS).toWellFormed()}…`;

/** An error as a client may see it; `id` names the call it answers, where the client gave it one. */
export function errorFrame(error: unknown, id?: unknown) {
	const { type, message, code, data } = error as { type?: string; message: string; code?: number; data?: unknown };
	const answers = typeof id === "string" ? { id } : {};
	if (isUnavailable(error) || code === 503 || code === 504)
		return { code: "error", data: { type: "UNAVAILABLE", message: "Not possible right now, try again later", ...answers } };
	if (typeof code !== "number" || code >= 500 || !type)
		return { code: "error", data: { type: "INTERNAL_ERROR", message: "Something went wrong here", ...answers } };
	const field = type === "VALIDATION_ERROR" && Array.isArray(data) ? { field: (data as FieldError[])[0]?.field } : {};
	return { code: "error", data: { type, message: shortened(message), ...field, ...answers } };
}

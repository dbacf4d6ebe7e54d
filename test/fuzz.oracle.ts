// What the contract says of a frame, worked out anew and by other means than the system's.
import type { Cast, Fuzzed } from "./fuzz.frames.ts";

const MAX_DEPTH = 32;
const ACCOUNT = /^acct_[0-9a-f]{32}$/;

/** `error TYPE`, `connected USER`, `purchase USER AMOUNT` or `list`; undefined: there is no answer. */
export type Answer = string | undefined;

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);

const isControl = (char: string) => char < " " || (char >= "\u007f" && char <= "\u009f");

const isID = (value: unknown): value is string =>
	typeof value === "string" && value.length > 0 && value.length <= 64 && value.isWellFormed() && ![...value].some(isControl);

const isAmount = (value: unknown): value is number =>
	typeof value === "number" && value > 0 && value <= 1_000_000 && Number(value.toFixed(2)) === value;

const hasOnly = (value: object, ...names: string[]) => Object.keys(value).every(name => names.includes(name));

/** Of JSON: texts have no brackets that count. */
function depthOf(json: string): number {
	let depth = 0;
	let deepest = 0;
	for (const [bracket] of json.replace(/"(?:[^"\\]|\\.)*"/gs, "").matchAll(/[[\]{}]/g)) {
		depth += bracket === "[" || bracket === "{" ? 1 : -1;
		deepest = Math.max(deepest, depth);
	}
	return deepest;
}

/** One socket's side of the story: who it is, as its frames say, and what was bought under which id. */
export function createOracle({ accounts }: Cast) {
	let account: string | undefined;
	const bought = new Map<string, number>();

	const refusalOf = (user: string, caller: string | undefined): Answer => {
		if (user === caller || !ACCOUNT.test(user)) return undefined;
		return caller === undefined ? "error UNAUTHORIZED" : "error FORBIDDEN";
	};

	const connect = (data: unknown): Answer => {
		if (!isObject(data) || !hasOnly(data, "user", "ip", "token") || !isID(data.user)) return "error VALIDATION_ERROR";
		if ("token" in data && typeof data.token !== "string") return "error VALIDATION_ERROR";
		const known = accounts.find(({ token }) => token === data.token);
		if ("token" in data && !known) return "error UNAUTHORIZED";
		const refusal = refusalOf(data.user, known?.id ?? account);
		if (refusal) return refusal;
		account = known?.id ?? account;
		return `connected ${data.user}`;
	};

	const watch = (data: unknown): Answer => {
		if (!isObject(data) || !hasOnly(data, "selections")) return "error VALIDATION_ERROR";
		if ("selections" in data && typeof data.selections !== "boolean") return "error VALIDATION_ERROR";
		return data.selections ? "list" : undefined;
	};

	const buy = (frame: Record<string, unknown>): Answer => {
		const { user_id, amount, id } = frame;
		const refusal = isID(user_id) ? refusalOf(user_id, account) : undefined;
		if (refusal) return refusal;
		if (!hasOnly(frame, "id", "user_id", "amount") || !isID(user_id) || !isAmount(amount)) return "error VALIDATION_ERROR";
		if (!("id" in frame)) return `purchase ${user_id} ${amount}`;
		if (!isID(id)) return "error VALIDATION_ERROR";
		const key = JSON.stringify([user_id, id]);
		const stands = bought.get(key) ?? amount;
		bought.set(key, stands);
		return stands === amount ? `purchase ${user_id} ${amount}` : "error CONFLICT";
	};

	return {
		/** The answer to the next frame that this socket sends. */
		answerTo(sent: Fuzzed): Answer {
			if (typeof sent !== "string") return "error VALIDATION_ERROR";
			let frame: unknown;
			try {
				// Half of a surrogate pair does not survive UTF-8.
				frame = JSON.parse(sent.toWellFormed());
			} catch {
				return "error VALIDATION_ERROR";
			}
			if (!isObject(frame) || depthOf(sent) > MAX_DEPTH) return "error VALIDATION_ERROR";
			if (!Object.hasOwn(frame, "code")) return buy(frame);
			if (frame.code === "connect") return connect(frame.data);
			return frame.code === "watch" ? watch(frame.data) : "error VALIDATION_ERROR";
		}
	};
}

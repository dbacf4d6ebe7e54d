// Oracle: the answer that the contract requires for a frame, implemented independently of the system's code.
import type { Fuzzed, FuzzUsers } from "./fuzz.frames.ts";

const MAX_DEPTH = 32;
const ACCOUNT = /^acct_[0-9a-f]{32}$/;

/** `error TYPE`, `connected USER`, `purchase USER AMOUNT` or `list`; undefined if no answer is expected. */
export type Answer = string | undefined;

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === "object" && value !== null && !Array.isArray(value);

const isControl = (char: string) => char < " " || (char >= "\u007f" && char <= "\u009f");

const isID = (value: unknown): value is string =>
	typeof value === "string" && value.length > 0 && value.length <= 64 && value.isWellFormed() && ![...value].some(isControl);

const isAmount = (value: unknown): value is number =>
	typeof value === "number" && value > 0 && value <= 1_000_000 && Number(value.toFixed(2)) === value;

const hasOnly = (value: object, ...names: string[]) => Object.keys(value).every(name => names.includes(name));

/** Nesting depth of JSON text; brackets inside strings do not count. */
function depthOf(json: string): number {
	let depth = 0;
	let deepest = 0;
	for (const [bracket] of json.replace(/"(?:[^"\\]|\\.)*"/gs, "").matchAll(/[[\]{}]/g)) {
		depth += bracket === "[" || bracket === "{" ? 1 : -1;
		deepest = Math.max(deepest, depth);
	}
	return deepest;
}

/** Whether stores keep every text and name of a parsed frame as it is, and whether no name inside of a field is `__proto__`. */
const isKept = (value: unknown, isTop = true): boolean =>
	typeof value === "string"
		? value.isWellFormed()
		: typeof value !== "object" ||
			value === null ||
			Object.entries(value).every(
				([name, part]) => name.isWellFormed() && (isTop || name !== "__proto__") && isKept(part, false)
			);

/** The expected state of one socket: its account according to its frames, and the purchases by id. */
export function createOracle({ accounts }: FuzzUsers) {
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
		const firstAmount = bought.get(key) ?? amount;
		bought.set(key, firstAmount);
		return firstAmount === amount ? `purchase ${user_id} ${amount}` : "error CONFLICT";
	};

	return {
		/** Returns the expected answer to the socket's next frame. */
		answerTo(sent: Fuzzed): Answer {
			if (typeof sent !== "string") return "error VALIDATION_ERROR";
			let frame: unknown;
			try {
				// UTF-8 cannot encode a lone surrogate: it arrives as U+FFFD.
				frame = JSON.parse(sent.toWellFormed());
			} catch {
				return "error VALIDATION_ERROR";
			}
			if (!isObject(frame) || depthOf(sent) > MAX_DEPTH || !isKept(frame)) return "error VALIDATION_ERROR";
			if (!Object.hasOwn(frame, "code")) return buy(frame);
			if (frame.code === "connect") return connect(frame.data);
			return frame.code === "watch" ? watch(frame.data) : "error VALIDATION_ERROR";
		}
	};
}

// Who is signed in, in all tabs of this browser at once. The token that requests carry is in this tab's memory alone; what gets the next one is in a
// cookie that no script can read. What is kept is only who it was: so the page of a guest has nothing to ask.

import { inTurn } from "./cross-tab-lock.js";
import { request, serverNowMs } from "./http.js";
import { Away } from "./retry.js";
import { readJson, remove, write } from "./storage.js";

const KEY = "plaza/account";
const RENEW_BEFORE_MS = 60_000;
/** A timer does not count the time that the machine slept: so the clock is looked at this often. */
const LOOK_EVERY_MS = 15_000;
/** A token that ends sooner would have the page ask for the next one without end. */
const SHORTEST_LIFE_MS = 2_000;
/** An answer that is given up takes the next cookie with it: it gets more time than others. */
const REFRESH_TIMEOUT_MS = 30_000;

const remembered = () => {
	const kept = readJson(KEY);
	return typeof kept?.id === "string" ? kept : undefined;
};

/**
 * @typedef {{ id: string, name: string, role: "user" | "admin" }} Person
 * @param {object} options
 * @param {(person: Person | undefined, isOver: boolean) => void} options.onChange it is somebody else now, or a guest, or in another role; `isOver`: because the server
 *   has ended the session
 * @param {() => void} options.onToken the same person has a new token
 */
export function createAccount({ onChange, onToken }) {
	/** @type {Person | undefined} */
	let person = remembered();
	/** @type {{ token: string, renewAtMs: number, endsAtMs: number } | undefined} by the server's clock */
	let pass;
	let renewal;
	let askedUntilMs = 0;
	let timer;

	function become(next, isOver = false) {
		person = next;
		onChange(person, isOver);
	}

	function admit({ user: { id, name, role }, token, expiresAt }) {
		const nowMs = serverNowMs();
		const lifeMs = Math.max(Date.parse(expiresAt) - nowMs, SHORTEST_LIFE_MS);
		pass = { token, endsAtMs: nowMs + lifeMs, renewAtMs: nowMs + Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2) };
		look();
		write(KEY, JSON.stringify({ id, name, role }));
		if (id === person?.id && role === person.role) onToken();
		else become({ id, name, role });
	}

	function leave(isOver) {
		remove(KEY);
		pass = undefined;
		become(undefined, isOver);
	}

	/** Does what another tab has done. */
	function follow() {
		const other = remembered();
		if (other?.id === person?.id) return;
		pass = undefined;
		become(other);
	}

	/** Rejects with `Away` alone: whatever was to be done with the new token is still to be done. */
	const refresh = () =>
		inTurn(async () => {
			follow();
			if (!person) throw new Away("signed out");
			try {
				admit(await request("POST", "/api/auth/refresh", { keepalive: true, timeoutMs: REFRESH_TIMEOUT_MS }));
			} catch (error) {
				if (error.type === "UNAUTHORIZED") leave(true);
				else if (error.retryAfterMs) askedUntilMs = Date.now() + error.retryAfterMs;
				throw new Away(error.message, error.retryAfterMs);
			}
		});

	/** Gets the next token, once for all who ask for it. */
	async function next() {
		const restMs = askedUntilMs - Date.now();
		if (restMs > 0) throw new Away("asked to wait", restMs);
		renewal ??= refresh().finally(() => {
			renewal = undefined;
		});
		await renewal;
	}

	function look() {
		clearTimeout(timer);
		if (!pass) return;
		const restMs = pass.renewAtMs - serverNowMs();
		// If it fails, it is tried again after the next look.
		if (restMs <= 0) next().catch(() => {});
		timer = setTimeout(look, restMs > 0 ? Math.min(restMs, LOOK_EVERY_MS) : LOOK_EVERY_MS);
	}

	const enter = (path, body, signal) => inTurn(async () => admit(await request("POST", path, { body, signal })));

	// A null key: all of it was cleared.
	addEventListener("storage", ({ key }) => (key === KEY || key === null) && follow());
	addEventListener("pageshow", ({ persisted }) => persisted && follow());
	addEventListener("online", look);
	document.addEventListener("visibilitychange", look);

	return {
		person: () => person,
		/** A token of this person and nobody else. Rejects with `Away`. */
		tokenOf: async id => {
			if (person?.id === id && !(pass?.endsAtMs > serverNowMs())) await next();
			if (person?.id !== id || !pass) throw new Away("signed out");
			return pass.token;
		},
		/** This token was refused: it is worth nothing any more. Resolves once there is another; rejects with `Away`. */
		renew: async refused => {
			if (pass && pass.token !== refused) return;
			pass = undefined;
			await next();
		},
		/** These two reject with `Refused` or `Away`, and change nothing then. */
		register: (details, signal) => enter("/api/auth/register", details, signal),
		signIn: (details, signal) => enter("/api/auth/login", details, signal),
		/** Rejects with `Away`, and changes nothing, where the server cannot be reached: its cookie would sign in whoever comes next. */
		signOut: () =>
			inTurn(async () => {
				try {
					await request("POST", "/api/auth/logout", { token: pass?.token });
				} catch (error) {
					if (error.type !== "UNAUTHORIZED") throw error;
				}
				leave(false);
			})
	};
}

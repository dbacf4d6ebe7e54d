// Who is signed in, in all tabs of this browser at once. The token that requests carry is in this tab's memory alone; what gets the next one is in a
// cookie that no script can read. What is kept is only who it was: so the page of a guest has nothing to ask.

import { withCrossTabLock } from "./cross-tab-lock.js";
import { request, serverNowMs } from "./http.js";
import { Unavailable } from "./retry.js";
import { readJson, remove, write } from "./storage.js";

const KEY = "plaza/account";
const RENEW_BEFORE_MS = 60_000;
/** A timer does not count the time that the machine slept: so the clock is looked at this often. */
const CLOCK_CHECK_MS = 15_000;
/** A token that ends sooner would have the page ask for the next one without end. */
const MIN_TOKEN_LIFE_MS = 2_000;
/** An answer that is given up takes the next cookie with it: it gets more time than others. */
const REFRESH_TIMEOUT_MS = 30_000;

const storedPerson = () => {
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
	let person = storedPerson();
	/** @type {{ token: string, renewAtMs: number, endsAtMs: number } | undefined} by the server's clock */
	let accessToken;
	let refreshing;
	let retryAfterUntilMs = 0;
	let timer;

	function setPerson(refreshOnce, isOver = false) {
		person = refreshOnce;
		onChange(person, isOver);
	}

	function applySignIn({ user: { id, name, role }, token, expiresAt }) {
		const nowMs = serverNowMs();
		const lifeMs = Math.max(Date.parse(expiresAt) - nowMs, MIN_TOKEN_LIFE_MS);
		accessToken = { token, endsAtMs: nowMs + lifeMs, renewAtMs: nowMs + Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2) };
		scheduleRefresh();
		write(KEY, JSON.stringify({ id, name, role }));
		if (id === person?.id && role === person.role) onToken();
		else setPerson({ id, name, role });
	}

	function applySignOut(isOver) {
		remove(KEY);
		accessToken = undefined;
		setPerson(undefined, isOver);
	}

	/** Does what another tab has done. */
	function syncWithOtherTabs() {
		const other = storedPerson();
		if (other?.id === person?.id) return;
		accessToken = undefined;
		setPerson(other);
	}

	/** Rejects with `Unavailable` alone: whatever was to be done with the new token is still to be done. */
	const refresh = () =>
		withCrossTabLock(async () => {
			syncWithOtherTabs();
			if (!person) throw new Unavailable("signed out");
			try {
				applySignIn(await request("POST", "/api/auth/refresh", { keepalive: true, timeoutMs: REFRESH_TIMEOUT_MS }));
			} catch (error) {
				if (error.type === "UNAUTHORIZED") applySignOut(true);
				else if (error.retryAfterMs) retryAfterUntilMs = Date.now() + error.retryAfterMs;
				throw new Unavailable(error.message, error.retryAfterMs);
			}
		});

	/** Gets the next token, once for all who ask for it. */
	async function next() {
		const restMs = retryAfterUntilMs - Date.now();
		if (restMs > 0) throw new Unavailable("asked to wait", restMs);
		refreshing ??= refresh().finally(() => {
			refreshing = undefined;
		});
		await refreshing;
	}

	function scheduleRefresh() {
		clearTimeout(timer);
		if (!accessToken) return;
		const restMs = accessToken.renewAtMs - serverNowMs();
		// If it fails, it is tried again after the next look.
		if (restMs <= 0) next().catch(() => {});
		timer = setTimeout(scheduleRefresh, restMs > 0 ? Math.min(restMs, CLOCK_CHECK_MS) : CLOCK_CHECK_MS);
	}

	const signInBy = (path, body, signal) =>
		withCrossTabLock(async () => applySignIn(await request("POST", path, { body, signal })));

	// A null key: all of it was cleared.
	addEventListener("storage", ({ key }) => (key === KEY || key === null) && syncWithOtherTabs());
	addEventListener("pageshow", ({ persisted }) => persisted && syncWithOtherTabs());
	addEventListener("online", scheduleRefresh);
	document.addEventListener("visibilitychange", scheduleRefresh);

	return {
		person: () => person,
		/** A token of this person and nobody else. Rejects with `Unavailable`. */
		tokenOf: async id => {
			if (person?.id === id && !(accessToken?.endsAtMs > serverNowMs())) await next();
			if (person?.id !== id || !accessToken) throw new Unavailable("signed out");
			return accessToken.token;
		},
		/** This token was refused: it is worth nothing any more. Resolves once there is another; rejects with `Unavailable`. */
		renew: async refused => {
			if (accessToken && accessToken.token !== refused) return;
			accessToken = undefined;
			await next();
		},
		/** These two reject with `Refused` or `Unavailable`, and change nothing then. */
		register: (details, signal) => signInBy("/api/auth/register", details, signal),
		signIn: (details, signal) => signInBy("/api/auth/login", details, signal),
		/** Rejects with `Unavailable`, and changes nothing, where the server cannot be reached: its cookie would sign in whoever comes next. */
		signOut: () =>
			withCrossTabLock(async () => {
				try {
					await request("POST", "/api/auth/logout", { token: accessToken?.token });
				} catch (error) {
					if (error.type !== "UNAUTHORIZED") throw error;
				}
				applySignOut(false);
			})
	};
}

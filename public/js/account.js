// The signed-in account, the same in all tabs of this browser. The access token is in this tab's memory only; the refresh token is in an HTTP-only
// cookie. Storage keeps only the account's id, name and role, so that a guest's page need not ask the server.

import { withCrossTabLock } from "./cross-tab-lock.js";
import { request, serverNowMs } from "./http.js";
import { Unavailable } from "./retry.js";
import { readJson, remove, write } from "./storage.js";

const KEY = "plaza/account";
const RENEW_BEFORE_MS = 60_000;
/** Timers do not run while the machine sleeps, so the clock is checked this often. */
const CLOCK_CHECK_MS = 15_000;
/** Treats shorter lives as this long, or the page would refresh in an endless loop. */
const MIN_TOKEN_LIFE_MS = 2_000;
/** Longer than other requests: an abandoned response loses the next refresh cookie. */
const REFRESH_TIMEOUT_MS = 30_000;

const storedPerson = () => {
	const kept = readJson(KEY);
	return typeof kept?.id === "string" ? kept : undefined;
};

/**
 * @typedef {{ id: string, name: string, role: "user" | "admin" }} Person
 * @param {object} options
 * @param {(person: Person | undefined, isOver: boolean) => void} options.onChange the account or its role has changed, or it is a guest now; `isOver`: the server ended
 *   the session
 * @param {() => void} options.onToken the same account has a new token
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

	/** Adopts a sign-in or sign-out made in another tab. */
	function syncWithOtherTabs() {
		const other = storedPerson();
		if (other?.id === person?.id) return;
		accessToken = undefined;
		setPerson(other);
	}

	/** Rejects only with `Unavailable`: the caller retries its request later. */
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

	/** Gets the next token; concurrent callers share one request. */
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
		// A failure is retried at the next check.
		if (restMs <= 0) next().catch(() => {});
		timer = setTimeout(scheduleRefresh, restMs > 0 ? Math.min(restMs, CLOCK_CHECK_MS) : CLOCK_CHECK_MS);
	}

	const signInBy = (path, body, signal) =>
		withCrossTabLock(async () => applySignIn(await request("POST", path, { body, signal })));

	// The key is null when the storage was cleared.
	addEventListener("storage", ({ key }) => (key === KEY || key === null) && syncWithOtherTabs());
	addEventListener("pageshow", ({ persisted }) => persisted && syncWithOtherTabs());
	addEventListener("online", scheduleRefresh);
	document.addEventListener("visibilitychange", scheduleRefresh);

	return {
		person: () => person,
		/** A valid token of this account. Rejects with `Unavailable`, also if another account is signed in. */
		tokenOf: async id => {
			if (person?.id === id && !(accessToken?.endsAtMs > serverNowMs())) await next();
			if (person?.id !== id || !accessToken) throw new Unavailable("signed out");
			return accessToken.token;
		},
		/** Replaces a token that the server refused. Resolves once there is another; rejects with `Unavailable`. */
		renew: async refused => {
			if (accessToken && accessToken.token !== refused) return;
			accessToken = undefined;
			await next();
		},
		/** `register` and `signIn` reject with `Refused` or `Unavailable` and then change nothing. */
		register: (details, signal) => signInBy("/api/auth/register", details, signal),
		signIn: (details, signal) => signInBy("/api/auth/login", details, signal),
		/** Rejects with `Unavailable` and changes nothing if the server cannot be reached: the cookie would still be valid for the next user. */
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

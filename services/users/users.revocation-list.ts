// Which sign-ins have been revoked while tokens of theirs could still be valid: a short list, read again when it is asked for and a second old.
import { unavailable } from "../../mixins/errors.ts";

export interface RevocationList {
	/** Whether a session has been revoked: known here at once if this node did it, else within 5 s. Rejects only where no list was ever read. */
	has(session: string): Promise<boolean>;
	/** This node has revoked it. */
	add(session: string): void;
}

const FRESH_MS = 1_000;
/** Up to this age a list does while the next is being read; an older one is waited for. */
const STALE_MS = 3_000;

/**
 * `read` answers all sessions revoked within the lifetime of a token. While it fails the last list stands: to do what a token is for must not need
 * the store that the list is in, and every token ends by itself.
 */
export function revocationList(read: () => Promise<string[]>, now: () => number = () => performance.now()): RevocationList {
	let list: ReadonlySet<string> | undefined;
	/** Revoked here since the list that stands was asked for. */
	const own = new Map<string, number>();
	let triedAtMs = Number.NEGATIVE_INFINITY;
	let reading: Promise<void> | undefined;

	const load = async () => {
		const askedAtMs = now();
		try {
			list = new Set(await read());
			for (const [session, atMs] of own) if (atMs < askedAtMs) own.delete(session);
		} catch {
			// The last list stands.
		}
		triedAtMs = now();
	};

	return {
		async has(session) {
			const ageMs = now() - triedAtMs;
			if (ageMs > FRESH_MS)
				reading ??= load().finally(() => {
					reading = undefined;
				});
			if (ageMs > STALE_MS) await reading;
			if (!list) throw unavailable("Postgres");
			return own.has(session) || list.has(session);
		},

		add(session) {
			own.set(session, now());
		}
	};
}

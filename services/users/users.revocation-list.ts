// The sessions that were revoked while their tokens could still be valid: a short list, cached for a second.
import { unavailable } from "../../mixins/errors.ts";

export interface RevocationList {
	/** Whether a session is revoked: known at once if this node revoked it, else within 5 s. Rejects only if no list was ever read. */
	has(session: string): Promise<boolean>;
	/** Records a session that this node has revoked. */
	add(session: string): void;
}

const FRESH_MS = 1_000;
/** Up to this age a list is used while the next one is being read; with an older list, `has` waits for the next. */
const STALE_MS = 3_000;

/**
 * `read` returns all sessions that were revoked within the lifetime of a token. While it fails, the last list is used: a request with a token must
 * not depend on the store of this list, and every token expires anyway.
 */
export function revocationList(read: () => Promise<string[]>, now: () => number = () => performance.now()): RevocationList {
	let list: ReadonlySet<string> | undefined;
	/** Sessions that this node revoked since it requested the current list. */
	const own = new Map<string, number>();
	let triedAtMs = Number.NEGATIVE_INFINITY;
	let reading: Promise<void> | undefined;

	const load = async () => {
		const askedAtMs = now();
		try {
			list = new Set(await read());
			for (const [session, atMs] of own) if (atMs < askedAtMs) own.delete(session);
		} catch {
			// Keep the last list.
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

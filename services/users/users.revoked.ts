// Which sign-ins have been revoked while tokens of theirs could still be valid: a short list, read again when it is asked for and a second old.

export interface Revoked {
	/** Whether a session has been revoked: known here at once if this node did it, else within about a second. */
	has(session: string): Promise<boolean>;
	/** This node revokes it. */
	add(session: string): void;
}

const FRESH_MS = 1_000;
/** A list that could not be read again for so long is waited for. */
const STALE_MS = 4_000;

/**
 * `read` answers all sessions revoked within the lifetime of a token. While it fails the last list stands: nobody can be revoked either while the
 * store is away, and a token ends by itself.
 */
export function revokedSessions(read: () => Promise<string[]>, now: () => number = () => performance.now()): Revoked {
	let list: ReadonlySet<string> = new Set();
	/** Revoked here since the list that stands was asked for. */
	const own = new Map<string, number>();
	let readAtMs = Number.NEGATIVE_INFINITY;
	let reading: Promise<void> | undefined;

	const load = async () => {
		const askedAtMs = now();
		try {
			list = new Set(await read());
			for (const [session, atMs] of own) if (atMs < askedAtMs) own.delete(session);
		} catch {
			// The last list stands.
		}
		readAtMs = now();
	};

	return {
		async has(session) {
			const ageMs = now() - readAtMs;
			if (ageMs > FRESH_MS)
				reading ??= load().finally(() => {
					reading = undefined;
				});
			if (ageMs > STALE_MS) await reading;
			return own.has(session) || list.has(session);
		},

		add(session) {
			own.set(session, now());
		}
	};
}

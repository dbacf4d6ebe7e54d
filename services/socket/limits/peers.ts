// The clients of this node's sockets, on /ws and on Socket.IO: the limits of their frames, of an account's sockets, and the end of their identities.
import type { Logger } from "moleculer";
import type { Identity } from "../../../contract/action.ts";
import { rateOf, type TokenBucket, tokenBucket } from "../../../mixins/limits/token-bucket.ts";
import { periodicTask } from "../../../mixins/periodic-task.ts";
import type { Caller } from "../../define-service.ts";
import type { FrameBudget } from "./frame-budget.ts";
import { type Quota, quotas } from "./quota.ts";
import type { WaitingBytes } from "./waiting-bytes.ts";

export interface Peer {
	/** By its newest token; undefined: a guest. */
	readonly identity: Identity | undefined;
	/** Takes this number of frames (default 1) from the rate limits; false: the socket, its address or its account sends too many. */
	take(frames?: number): boolean;
	/**
	 * Takes the frames that an answer counts as because of its size, at most those of one second: else it could never be paid. False, and nothing is
	 * taken, while there are fewer.
	 */
	takeForAnswer(frames: number): boolean;
	/** How many frames of all sockets of its address are handled in one turn of the event loop, and are in flight. */
	readonly budget: FrameBudget;
	/** The bytes that wait for slow readers of its address. */
	readonly waiting: WaitingBytes;
	/** Sets its identity. False: the account has as many sockets as it may, and nothing has changed. */
	identify(identity: Identity): boolean;
	/** Its socket is closed; later calls change nothing. */
	disconnect(): void;
	/** Must close the socket: its token has expired, or its session was revoked. */
	holder: { onIdentityEnded(reason: string): void } | undefined;
}

export interface Peers {
	/** Adds a new socket of a client at this address. */
	connect(address: string): Peer;
	start(): void;
	stop(): void;
}

export interface PeersOptions {
	caller: Caller;
	logger: Pick<Logger, "warn">;
	maxSocketsPerAccount: number;
	/** For one socket; 0: no limit. */
	maxFramesPerSecond: number;
}

/** The close code after a token has expired or was revoked: the client may reconnect with a valid one. */
export const SIGNED_OUT = 4401;

/** How many times the rate of one socket an address and an account have. A whole office may share one address. */
const BUSY_PER_ADDRESS = 20;
const BUSY_PER_ACCOUNT = 5;
/**
 * A new socket may send at once at most half of what its address has left. So a client that floods, is closed and reconnects gets less each time, and never
 * uses up the rest of its neighbours. This part of a full burst each socket gets in any case.
 */
const MIN_PART_OF_BURST = 0.01;
/** The sockets of a revoked session must be closed within 5 s; the list of revoked sessions is up to a second old. */
const SWEEP_EVERY_MS = 1_000;

export function createPeers({ caller, logger, maxSocketsPerAccount, maxFramesPerSecond }: PeersOptions): Peers {
	// 0: the HTTP listener limits the connections of an address (runtime/http/connections.ts).
	const addresses = quotas(0, maxFramesPerSecond * BUSY_PER_ADDRESS);
	const accounts = quotas(maxSocketsPerAccount, maxFramesPerSecond * BUSY_PER_ACCOUNT);
	const signedIn = new Map<SocketPeer, Identity>();
	let sweeping: ReturnType<typeof periodicTask> | undefined;
	let isChecking = false;

	const endIdentities = (isEnded: (identity: Identity) => boolean, reason: string) => {
		for (const [peer, identity] of signedIn) {
			if (!isEnded(identity)) continue;
			signedIn.delete(peer);
			// Its frames in flight must not act as the account any more.
			peer.identity = undefined;
			peer.holder?.onIdentityEnded(reason);
		}
	};

	const endRevoked = async () => {
		const sessions = [...new Set([...signedIn.values()].map(({ session }) => session))];
		if (isChecking || sessions.length === 0) return;
		isChecking = true;
		try {
			const revoked = new Set(await caller.call("users.revoked", { sessions }));
			endIdentities(({ session }) => revoked.has(session), "the session was revoked");
		} catch {
			// The list of revoked sessions is unavailable: sockets stay open until their tokens expire.
		} finally {
			isChecking = false;
		}
	};

	const sweep = () => {
		addresses.sweep();
		accounts.sweep();
		const nowMs = Date.now();
		endIdentities(({ expiresAtMs }) => expiresAtMs <= nowMs, "the token has ended");
		void endRevoked();
	};

	/** A class, to save memory: there is one for each socket. */
	class SocketPeer implements Peer {
		readonly #own: TokenBucket;
		readonly #ofAddress: Quota;
		#ofAccount: Quota | undefined = undefined;
		#isConnected = true;
		identity: Identity | undefined = undefined;
		holder: Peer["holder"] = undefined;

		constructor(ofAddress: Quota) {
			this.#ofAddress = ofAddress;
			const { perSecond, burst } = rateOf(maxFramesPerSecond);
			const allowance = Math.max(ofAddress.left() / 2, burst * MIN_PART_OF_BURST);
			this.#own = tokenBucket(perSecond, performance.now(), burst);
			if (allowance < burst) this.#own.take(performance.now(), burst - allowance);
		}

		get budget() {
			return this.#ofAddress.budget;
		}

		get waiting() {
			return this.#ofAddress.waiting;
		}

		take(frames = 1) {
			return this.#own.take(performance.now(), frames) && (this.#ofAccount?.take(frames) ?? true) && this.#ofAddress.take(frames);
		}

		takeForAnswer(frames: number) {
			const cost = Math.min(frames, maxFramesPerSecond);
			const left = [this.#own.left(performance.now()), this.#ofAddress.left(), this.#ofAccount?.left() ?? cost];
			return Math.min(...left) >= cost && this.take(cost);
		}

		identify(next: Identity) {
			if (!this.#isConnected) return true;
			if (next.id !== this.identity?.id) {
				const quota = accounts.acquire(next.id);
				if (!quota) return false;
				this.#ofAccount?.release();
				this.#ofAccount = quota;
			}
			this.identity = next;
			signedIn.set(this, next);
			return true;
		}

		disconnect() {
			if (!this.#isConnected) return;
			this.#isConnected = false;
			signedIn.delete(this);
			this.#ofAddress.release();
			this.#ofAccount?.release();
		}
	}

	return {
		// Without a limit there is always a quota.
		connect: address => new SocketPeer(addresses.acquire(address)!),

		start() {
			sweeping = periodicTask(sweep, { everyMs: SWEEP_EVERY_MS, logger, what: "ending expired sign-ins of sockets" });
		},

		stop: () => void sweeping?.stop()
	};
}

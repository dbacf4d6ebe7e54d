// Who is at the other end of this node's sockets, /ws and Socket.IO alike: how many they may be, how much they may send, and until when they
// are who they said.
import type { Identity } from "../../../contract/action.ts";
import { rateOf, type TokenBucket, tokenBucket } from "../../../mixins/limits/token-bucket.ts";
import type { Caller } from "../../define-service.ts";
import { type Share, shares } from "./quota.ts";

export interface Peer {
	/** Who is behind it, as its newest token says. */
	readonly identity: Identity | undefined;
	/** Takes one frame; false: it sends too many, or all of its address or of its account together do. */
	take(): boolean;
	/** From now on this is who is behind it. False: the account has its fill of sockets, and nothing has changed. */
	identify(identity: Identity): boolean;
	/** It has gone; what comes after that changes nothing. */
	leave(): void;
	/** Told when its token has ended or been revoked, and which of the two: it is to be closed. */
	holder: { over(reason: string): void } | undefined;
}

export interface Peers {
	/** One more; undefined: its address has its fill of sockets. */
	arrive(address: string): Peer | undefined;
	start(): void;
	stop(): void;
}

export interface PeersOptions {
	caller: Caller;
	maxSocketsPerAddress: number;
	maxSocketsPerAccount: number;
	/** Of one socket; 0: no limit. */
	maxFramesPerSecond: number;
}

/** Of a WebSocket that is closed because its token is worth nothing any more: whoever still has a good one may come again with it. */
export const SIGNED_OUT = 4401;

/** So many busy sockets make an address or an account too busy. Behind one address there may be a whole office. */
const BUSY_PER_ADDRESS = 20;
const BUSY_PER_ACCOUNT = 5;
/**
 * A newcomer may send at once no more than half of what is left to its address. Whoever floods, is closed and comes again has less each time, and
 * so never uses up what is left to those who share its address; but so much is left to each.
 */
const LEAST_OF_BURST = 0.01;
/** Short enough for a revoked session's sockets to be closed within 5 s, as the list of those is a second old itself. */
const SWEEP_EVERY_MS = 1_000;

export function createPeers({ caller, maxSocketsPerAddress, maxSocketsPerAccount, maxFramesPerSecond }: PeersOptions): Peers {
	const addresses = shares(maxSocketsPerAddress, maxFramesPerSecond * BUSY_PER_ADDRESS);
	const accounts = shares(maxSocketsPerAccount, maxFramesPerSecond * BUSY_PER_ACCOUNT);
	const signedIn = new Map<SocketPeer, Identity>();
	let timer: NodeJS.Timeout | undefined;
	let isAsking = false;

	const end = (isOver: (identity: Identity) => boolean, reason: string) => {
		for (const [peer, identity] of signedIn) {
			if (!isOver(identity)) continue;
			signedIn.delete(peer);
			// What was taken of it and waits for something else is nobody's now.
			peer.identity = undefined;
			peer.holder?.over(reason);
		}
	};

	const endRevoked = async () => {
		const sessions = [...new Set([...signedIn.values()].map(({ session }) => session))];
		if (isAsking || sessions.length === 0) return;
		isAsking = true;
		try {
			const revoked = new Set(await caller.call("users.revoked", { sessions }));
			end(({ session }) => revoked.has(session), "the session was revoked");
		} catch {
			// While nobody can say what has been revoked, sockets stay until their tokens end.
		} finally {
			isAsking = false;
		}
	};

	const sweep = () => {
		addresses.sweep();
		accounts.sweep();
		const nowMs = Date.now();
		end(({ expiresAtMs }) => expiresAtMs <= nowMs, "the token has ended");
		void endRevoked();
	};

	/** A class: there is one for each socket, and most of them do nothing most of the time. */
	class SocketPeer implements Peer {
		readonly #own: TokenBucket;
		readonly #ofAddress: Share;
		#ofAccount: Share | undefined = undefined;
		#isHere = true;
		identity: Identity | undefined = undefined;
		holder: Peer["holder"] = undefined;

		constructor(ofAddress: Share) {
			this.#ofAddress = ofAddress;
			const { perSecond, burst } = rateOf(maxFramesPerSecond);
			const allowance = Math.max(ofAddress.left() / 2, burst * LEAST_OF_BURST);
			this.#own = tokenBucket(perSecond, performance.now(), burst);
			if (allowance < burst) this.#own.take(performance.now(), burst - allowance);
		}

		take() {
			return this.#own.take(performance.now()) && (this.#ofAccount?.take() ?? true) && this.#ofAddress.take();
		}

		identify(next: Identity) {
			if (!this.#isHere) return true;
			if (next.id !== this.identity?.id) {
				const share = accounts.enter(next.id);
				if (!share) return false;
				this.#ofAccount?.leave();
				this.#ofAccount = share;
			}
			this.identity = next;
			signedIn.set(this, next);
			return true;
		}

		leave() {
			if (!this.#isHere) return;
			this.#isHere = false;
			signedIn.delete(this);
			this.#ofAddress.leave();
			this.#ofAccount?.leave();
		}
	}

	return {
		arrive(address) {
			const ofAddress = addresses.enter(address);
			return ofAddress && new SocketPeer(ofAddress);
		},

		start() {
			timer = setInterval(sweep, SWEEP_EVERY_MS).unref();
		},

		stop: () => clearInterval(timer)
	};
}

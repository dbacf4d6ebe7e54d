// The open connections of this process, of every kind and on every listener: limited for each client address, and in total.
import type { Socket } from "node:net";
import { peerOf, type Trusted } from "./client-address.ts";

/** Why a connection is refused: the limit of its `address`, or of the whole `process`, is reached. */
export type Refusal = "address" | "process";

/** Ends the counting of a connection. Calling it again changes nothing. */
export type Release = () => void;

/** Closes an idle connection and returns it; undefined if there is none. */
export type CloseIdle = () => Socket | undefined;

export type OnRefused = (address: string, refusal: Refusal) => void;

export interface Connections {
	/**
	 * Counts a new TCP connection by the address of its peer until it closes; a connection of a trusted proxy only in the total. Returns undefined, or why
	 * it is refused: then the caller must close it.
	 */
	accept(socket: Socket): Refusal | undefined;
	/** Whether many clients share this connection, because it is a trusted proxy's: each of them is counted with `acquire`. */
	isShared(socket: Socket): boolean;
	/** Counts a session or request of a client at this address that has no TCP connection of its own; undefined: the limit of the address is reached. */
	acquire(address: string): Release | undefined;
	/** `closeIdle` is called when the limit of the process is reached, to make room for a new connection. */
	addIdle(closeIdle: CloseIdle): Release;
	/** Calls the listener with each refusal, and the address of the client. */
	onRefused(listener: OnRefused): Release;
	/** Open TCP connections. */
	size(): number;
	/** How many were refused, by reason. */
	readonly refused: Readonly<Record<Refusal, number>>;
}

export interface ConnectionsOptions {
	/** 0: no limit. */
	maxPerAddress: number;
	/** TCP connections of all addresses together. */
	maxTotal: number;
	isTrusted: Trusted;
}

/** The open connections of an address. */
interface Count {
	readonly address: string;
	open: number;
}

/** The limit of one address: at most half of the total, so that one address cannot take all connections. */
export const limitOf = ({ maxPerAddress, maxTotal }: Pick<ConnectionsOptions, "maxPerAddress" | "maxTotal">) =>
	maxPerAddress === 0 ? Number.POSITIVE_INFINITY : Math.min(maxPerAddress, Math.ceil(maxTotal / 2));

/** Creates the counters of a process: all its listeners share them. */
export function createConnections(options: ConnectionsOptions): Connections {
	const { maxTotal, isTrusted } = options;
	const maxPerAddress = limitOf(options);
	/** By address; addresses without connections are removed. */
	const counts = new Map<string, Count>();
	const counted = new Map<Socket, Count>();
	const shared = new Set<Socket>();
	const idle = new Set<CloseIdle>();
	const refused = { address: 0, process: 0 };
	const listeners = new Set<OnRefused>();

	const refuse = (address: string, refusal: Refusal) => {
		refused[refusal]++;
		for (const listener of listeners) listener(address, refusal);
	};

	const increment = (address: string): Count | undefined => {
		const count = counts.get(address) ?? { address, open: 0 };
		if (count.open >= maxPerAddress) {
			refuse(address, "address");
			return undefined;
		}
		count.open++;
		counts.set(address, count);
		return count;
	};

	const decrement = (count: Count) => {
		if (--count.open === 0) counts.delete(count.address);
	};

	const remove = (socket: Socket) => {
		shared.delete(socket);
		const count = counted.get(socket);
		if (count && counted.delete(socket)) decrement(count);
	};

	// One function for all connections, which it gets as `this`, so that each connection costs no closure.
	const onClose = function (this: Socket) {
		remove(this);
	};

	const size = () => counted.size + shared.size;

	const hasRoom = () => {
		if (size() < maxTotal) return true;
		for (const closeIdle of idle) {
			const closed = closeIdle();
			if (!closed) continue;
			// Its close event comes later, but its file descriptor is free now.
			remove(closed);
			return true;
		}
		return false;
	};

	return {
		accept(socket) {
			const { address, isProxy } = peerOf(socket, isTrusted);
			const count = isProxy ? undefined : increment(address);
			if (!isProxy && !count) return "address";
			if (!hasRoom()) {
				if (count) decrement(count);
				refuse(address, "process");
				return "process";
			}
			if (count) counted.set(socket, count);
			else shared.add(socket);
			socket.on("close", onClose);
			return undefined;
		},

		isShared: socket => shared.has(socket),

		acquire(address) {
			const count = increment(address);
			if (!count) return undefined;
			let isHeld = true;
			return () => {
				if (isHeld) decrement(count);
				isHeld = false;
			};
		},

		addIdle(closeIdle) {
			idle.add(closeIdle);
			return () => void idle.delete(closeIdle);
		},

		onRefused(listener) {
			listeners.add(listener);
			return () => void listeners.delete(listener);
		},

		size,
		refused
	};
}

// The open connections of this process, of every kind and on every listener: limited for each client address, and in total.
import type { Socket } from "node:net";
import { openPerAddress } from "../../mixins/limits/open-per-address.ts";
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

/** The limit of one address: at most half of the total, so that one address cannot take all connections. */
export const limitOf = ({ maxPerAddress, maxTotal }: Pick<ConnectionsOptions, "maxPerAddress" | "maxTotal">) =>
	maxPerAddress === 0 ? Number.POSITIVE_INFINITY : Math.min(maxPerAddress, Math.ceil(maxTotal / 2));

/** Creates the counters of a process: all its listeners share them. */
export function createConnections(options: ConnectionsOptions): Connections {
	const { maxTotal, isTrusted } = options;
	const maxPerAddress = limitOf(options);
	const perAddress = openPerAddress(maxPerAddress);
	/** The addresses under which connections are counted. */
	const counted = new Map<Socket, string>();
	const shared = new Set<Socket>();
	const idle = new Set<CloseIdle>();
	const refused = { address: 0, process: 0 };
	const listeners = new Set<OnRefused>();

	const refuse = (address: string, refusal: Refusal) => {
		refused[refusal]++;
		for (const listener of listeners) listener(address, refusal);
	};

	const open = (address: string): boolean => {
		const isOpen = perAddress.open(address);
		if (!isOpen) refuse(address, "address");
		return isOpen;
	};

	const remove = (socket: Socket) => {
		shared.delete(socket);
		const address = counted.get(socket);
		if (address !== undefined && counted.delete(socket)) perAddress.close(address);
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
			if (!isProxy && !open(address)) return "address";
			if (!hasRoom()) {
				if (!isProxy) perAddress.close(address);
				refuse(address, "process");
				return "process";
			}
			if (isProxy) shared.add(socket);
			else counted.set(socket, address);
			socket.on("close", onClose);
			return undefined;
		},

		isShared: socket => shared.has(socket),

		acquire(address) {
			if (!open(address)) return undefined;
			let isHeld = true;
			return () => {
				if (isHeld) perAddress.close(address);
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

// Client screens: each has one socket to some node, reconnects when it is closed, and records all frames of the present connection.
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../random.ts";
import type { Node } from "./nodes.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

/** A parsed frame. */
// biome-ignore lint/suspicious/noExplicitAny: every code has its own data
export type Frame = { code: string; data: any };

/** Size of a frame: two unread frames reach the limit after which the server conflates further values. */
const FRAME_BYTES = 40_000;
const MAX_UNREAD_MS = 300;

/** Returns a function that queues work: executed in order, each after a random delay. */
function createQueue(scheduler: Scheduler, label: string) {
	const queue: (() => void)[] = [];
	const next = () => {
		scheduler.after(scheduler.random.between(0, MAX_UNREAD_MS), label, () => {
			queue[0]!();
			queue.shift();
			if (queue.length > 0) next();
		});
	};
	return (work: () => void) => {
		if (queue.push(work) === 1) next();
	};
}

/** The server's side of a connection. */
export class ModelSocket extends EventEmitter {
	readonly OPEN = 1;
	readyState = 1;
	isPaused = false;
	/** The process that has accepted the connection. */
	actor: Actor | undefined;
	#unread = 0;
	readonly #read: (text: string) => void;
	readonly #toPeer: (work: () => void) => void;
	readonly #toProcess: (work: () => void) => void;

	/** `read`: called with each frame that arrives at the client. */
	constructor(scheduler: Scheduler, read: (text: string) => void) {
		super();
		this.#read = read;
		this.#toPeer = createQueue(scheduler, "a frame is read");
		this.#toProcess = createQueue(scheduler, "a frame arrives");
	}

	get bufferedAmount() {
		return this.#unread * FRAME_BYTES;
	}

	send(text: string, written?: () => void) {
		this.#unread++;
		this.#toPeer(() => {
			this.#unread--;
			if (this.readyState === this.OPEN) this.#read(text);
			written?.();
		});
	}

	/** Simulates a frame from the client. */
	receive(frame: object) {
		actAs(this.actor, () => this.#toProcess(() => this.emit("message", JSON.stringify(frame), false)));
	}

	close() {
		if (this.readyState !== this.OPEN) return;
		this.readyState = 3;
		this.emit("close");
	}
	terminate() {
		this.close();
	}
	pause() {
		this.isPaused = true;
	}
	resume() {
		this.isPaused = false;
	}
}

/** Accepts a socket on a node. */
export type SocketEndpoint = (socket: ModelSocket) => void;

export interface Screen {
	readonly user: string;
	/** All frames of the present connection, in order. */
	readonly frames: readonly Frame[];
	readonly isOpen: boolean;
	send(frame: object): void;
	stop(): void;
}

export interface ScreenOptions {
	user: string;
	/** Returns the endpoint of a random node; undefined if that node is down. */
	findEndpoint: () => SocketEndpoint | undefined;
	/** Called with each frame and the earlier frames of the same connection. */
	onFrame: (frame: Frame, before: readonly Frame[]) => void;
	/** Called when the connection was confirmed. */
	onConnected: () => void;
}

/** Returns a function that picks the endpoint of a random node, or undefined if that node is down. */
export const endpointFinder = (nodes: Node[], endpoints: Map<Node, SocketEndpoint>, random: Random) => () => {
	const node = random.pick(nodes);
	return node.running && endpoints.get(node);
};

export function openScreen(scheduler: Scheduler, { user, findEndpoint, onFrame, onConnected }: ScreenOptions): Screen {
	let frames: Frame[] = [];
	let socket: ModelSocket | undefined;
	let isStopped = false;

	const connect = async (): Promise<void> => {
		for (;;) {
			await delay(scheduler.random.between(1, 500));
			const endpoint = findEndpoint();
			if (endpoint) return openSocket(endpoint);
		}
	};

	const openSocket = (endpoint: SocketEndpoint) => {
		frames = [];
		const own = new ModelSocket(scheduler, text =>
			actAs(undefined, () => {
				if (own !== socket) return;
				const frame = JSON.parse(text) as Frame;
				onFrame(frame, frames);
				frames.push(frame);
				if (frame.code === "connected") onConnected();
			})
		);
		socket = own;
		own.on("close", () => {
			if (own === socket) socket = undefined;
			actAs(undefined, () => isStopped || void connect());
		});
		endpoint(own);
		own.receive({ code: "connect", data: { user } });
	};

	actAs(undefined, () => void connect());
	return {
		user,
		get frames() {
			return frames;
		},
		get isOpen() {
			return frames.some(({ code }) => code === "connected") && socket !== undefined;
		},
		send: frame => socket?.receive(frame),
		stop() {
			isStopped = true;
		}
	};
}

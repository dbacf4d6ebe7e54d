// People's screens: each a socket to some node, opened again whenever it is closed, which remembers all it was shown.
import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../random.ts";
import type { Node } from "./nodes.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

/** A frame as it is read. */
// biome-ignore lint/suspicious/noExplicitAny: every code has its own data
export type Frame = { code: string; data: any };

/** Of so many bytes each, so that the second that is not read yet makes the third wait where it can be replaced. */
const FRAME_BYTES = 40_000;
const LONGEST_UNREAD_MS = 300;

/** Things that come one after the other, each in its time. */
function inLine(scheduler: Scheduler, label: string) {
	const line: (() => void)[] = [];
	const next = () => {
		scheduler.after(scheduler.random.between(0, LONGEST_UNREAD_MS), label, () => {
			line[0]!();
			line.shift();
			if (line.length > 0) next();
		});
	};
	return (work: () => void) => {
		if (line.push(work) === 1) next();
	};
}

/** The server's end of a connection: what a process reads and writes there. */
export class ModelSocket extends EventEmitter {
	readonly OPEN = 1;
	readyState = 1;
	isPaused = false;
	/** The process that has accepted it. */
	actor: Actor | undefined;
	#unread = 0;
	readonly #read: (text: string) => void;
	readonly #toPeer: (work: () => void) => void;
	readonly #toProcess: (work: () => void) => void;

	/** `read`: called with what arrives at the peer. */
	constructor(scheduler: Scheduler, read: (text: string) => void) {
		super();
		this.#read = read;
		this.#toPeer = inLine(scheduler, "a frame is read");
		this.#toProcess = inLine(scheduler, "a frame arrives");
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

	/** A frame from the peer. */
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

/** A node's door for sockets. */
export type Door = (socket: ModelSocket) => void;

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
	/** An open door, if any node has one. */
	findDoor: () => Door | undefined;
	/** Called with each frame, and those before it. */
	onFrame: (frame: Frame, before: readonly Frame[]) => void;
	/** What a page does when it has connected. */
	onConnected: () => void;
}

/** One of the doors that stand open, by chance; undefined where it is that of a process that does not run. */
export const doorFinder = (nodes: Node[], doors: Map<Node, Door>, random: Random) => () => {
	const node = random.pick(nodes);
	return node.running && doors.get(node);
};

export function openScreen(scheduler: Scheduler, { user, findDoor, onFrame, onConnected }: ScreenOptions): Screen {
	let frames: Frame[] = [];
	let socket: ModelSocket | undefined;
	let isStopped = false;

	const connect = async (): Promise<void> => {
		for (;;) {
			await delay(scheduler.random.between(1, 500));
			const door = findDoor();
			if (door) return enter(door);
		}
	};

	const enter = (door: Door) => {
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
		door(own);
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

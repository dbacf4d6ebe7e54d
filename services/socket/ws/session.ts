// One connection on /ws: handles its frames and its end.
import { randomUUID } from "node:crypto";
import type { RawData, WebSocket } from "ws";
import { assertMayActAs, assertMayCall } from "../../../contract/access.ts";
import type { Actions, Caller } from "../../define-service.ts";
import { type Peer, SIGNED_OUT } from "../limits/peers.ts";
import { type Rooms, userRoom, watchersRoom } from "../rooms.ts";
import type { Client } from "./client.ts";
import type { Session } from "./connection.ts";
import { type FrameHandler, FrameQueue } from "./frame-queue.ts";
import { type ClientFrame, type codelessAction, errorFrame, type frameParser, tooManySockets } from "./frames.ts";
import type { WatchedLists } from "./watched-lists.ts";

export interface SessionOptions {
	rooms: Rooms;
	lists: WatchedLists;
	caller: Caller;
	guests: boolean;
	parse: ReturnType<typeof frameParser>;
	codeless: ReturnType<typeof codelessAction>;
}

class SocketSession implements Session, FrameHandler {
	readonly #socket: WebSocket;
	readonly #client: Client;
	readonly #peer: Peer;
	readonly #options: SessionOptions;
	readonly #frames: FrameQueue;

	constructor(socket: WebSocket, client: Client, peer: Peer, options: SessionOptions) {
		this.#socket = socket;
		this.#client = client;
		this.#peer = peer;
		this.#options = options;
		this.#frames = new FrameQueue(socket, peer, this);
		peer.holder = this;
	}

	/** A ping costs an answer, so it counts as a frame. */
	onPing() {
		if (this.#socket.readyState === this.#socket.OPEN) this.#frames.count();
	}

	/** It costs memory until its message is complete, so it counts as a frame. */
	onFragment() {
		this.#frames.count();
	}

	/** The client's token has expired or was revoked. */
	onIdentityEnded(reason: string) {
		this.#frames.stop();
		this.#client.close(SIGNED_OUT, reason);
		// A socket with queued frames is paused: resumed, so that the client's close frame is read.
		this.#socket.resume();
	}

	onClose() {
		const { rooms, lists } = this.#options;
		if (this.#client.user !== undefined) rooms.leave(userRoom(this.#client.user), this.#client);
		for (const name of lists.names()) rooms.leave(watchersRoom(name), this.#client);
		this.#client.release();
		this.#peer.disconnect();
	}

	onFrame(data: RawData, isBinary: boolean) {
		this.#frames.add(data, isBinary);
	}

	drain() {
		return this.#frames.drain();
	}

	onFlood() {
		this.#client.close(1008, "too many frames");
	}

	parse(text: string | undefined) {
		return this.#options.parse(text);
	}

	reject(error: unknown) {
		this.#client.send(errorFrame(error));
	}

	async answer(frame: ClientFrame) {
		try {
			if (frame.code === "connect") await this.#connect(frame.data);
			else if (frame.code === "watch") await this.#watch(frame.data);
			else await this.#callCodeless(frame.data);
		} catch (error) {
			this.#client.send(errorFrame(error, frame.code === undefined ? frame.data.id : undefined));
		}
	}

	async #connect({ user, token }: Extract<ClientFrame, { code: "connect" }>["data"]) {
		const { caller, guests } = this.#options;
		const peer = this.#peer;
		const identity = token === undefined ? peer.identity : await caller.call("users.authenticate", { token });
		// All checks before any change: only a socket with the account's own token may enter the account's room.
		assertMayActAs(user, identity, { guests });
		if (identity && !peer.identify(identity)) throw tooManySockets();
		await this.#switchUser(user);
		this.#client.send({ code: "connected", data: { user } });
	}

	async #watch(wanted: Record<string, boolean | undefined>) {
		const { rooms, lists, caller } = this.#options;
		for (const [name, on] of Object.entries(wanted)) {
			// The socket was closed for flooding: do not run its queued lookups.
			if (this.#socket.readyState !== this.#socket.OPEN) return;
			const room = watchersRoom(name);
			if (!on) {
				rooms.leave(room, this.#client);
				continue;
			}
			const isNew = !rooms.has(room, this.#client);
			await this.#enter(room);
			try {
				const list = await caller.call(lists.snapshotOf(name) as keyof Actions, {} as never);
				lists.send(name, list, this.#client);
			} catch (error) {
				// The client gets an error, so it must not get the list's changes either.
				if (isNew) rooms.leave(room, this.#client);
				throw error;
			}
		}
	}

	async #callCodeless(params: Record<string, unknown>) {
		const { codeless, caller, guests } = this.#options;
		const { identity } = this.#peer;
		assertMayCall(codeless.contract, params, identity, { guests });
		const meta = { caller: identity };
		// `drain` waits for the call; Moleculer's own tracking searches its list of open calls at the end of each call.
		const options = { requestID: randomUUID(), meta, tracking: false };
		const answer = await caller.call(codeless.name as keyof Actions, params as never, options);
		const owner = codeless.contract.actor?.(params as never);
		const joining = this.#client.user === undefined && owner !== undefined ? this.#switchUser(owner) : undefined;
		// What is done is answered, also while this node cannot read topics yet: then the next such frame joins the room.
		this.#client.send({ code: codeless.replyCode, data: answer });
		await joining?.catch(() => {
			this.#client.user = undefined;
		});
	}

	async #switchUser(user: string) {
		const client = this.#client;
		if (client.user !== undefined && client.user !== user) this.#options.rooms.leave(userRoom(client.user), client);
		client.user = user;
		await this.#enter(userRoom(user));
	}

	async #enter(room: string) {
		// A closed socket has left its rooms already and would stay in this one for ever.
		if (this.#socket.readyState === this.#socket.OPEN) await this.#options.rooms.enter(room, this.#client);
	}
}

/** The caller passes the socket's events to the session. */
export const openSession = (socket: WebSocket, client: Client, peer: Peer, options: SessionOptions): Session =>
	new SocketSession(socket, client, peer, options);

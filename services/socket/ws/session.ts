// One connection on /ws, from its first frame to its last.
import { randomUUID } from "node:crypto";
import type { RawData, WebSocket } from "ws";
import { assertMayActAs, assertMayCall } from "../../../contract/access.ts";
import type { Actions, Caller } from "../../define-service.ts";
import { type Peer, SIGNED_OUT } from "../limits/peers.ts";
import type { Presence } from "../presence/presence.ts";
import type { Client } from "./client.ts";
import type { Session } from "./connection.ts";
import { type Answers, Intake } from "./frame-queue.ts";
import { type ClientFrame, type codelessAction, errorFrame, type frameParser, tooManySockets } from "./frames.ts";
import { feedRoom, type Hub, userRoom } from "./hub.ts";

export interface SessionOptions {
	hub: Hub;
	presence: Presence;
	caller: Caller;
	guests: boolean;
	feeds: Map<string, { snapshot: string }>;
	parse: ReturnType<typeof frameParser>;
	codeless: ReturnType<typeof codelessAction>;
}

class SocketSession implements Session, Answers {
	readonly #socket: WebSocket;
	readonly #client: Client;
	readonly #peer: Peer;
	readonly #options: SessionOptions;
	readonly #intake: Intake;

	constructor(socket: WebSocket, client: Client, peer: Peer, options: SessionOptions) {
		this.#socket = socket;
		this.#client = client;
		this.#peer = peer;
		this.#options = options;
		this.#intake = new Intake(socket, peer, this);
		peer.holder = this;
	}

	/** A ping costs an answer, like any frame. */
	beat() {
		if (this.#socket.readyState === this.#socket.OPEN) this.#intake.count();
	}

	/** The peer's token is worth nothing any more. */
	over(reason: string) {
		this.#intake.end();
		this.#client.close(SIGNED_OUT, reason);
		// If frames were waiting nothing was read: its own goodbye is.
		this.#socket.resume();
	}

	left() {
		if (this.#client.user !== undefined) this.#leave(userRoom(this.#client.user));
		for (const name of this.#options.feeds.keys()) this.#leave(feedRoom(name));
		this.#peer.leave();
	}

	hear(data: RawData, isBinary: boolean) {
		this.#intake.hear(data, isBinary);
	}

	drain() {
		return this.#intake.drain();
	}

	flooded() {
		this.#client.close(1008, "too many frames");
	}

	parse(text: string | undefined) {
		return this.#options.parse(text);
	}

	refuse(error: unknown) {
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
		// Nothing changes unless all of it does: the room of an account is only for sockets whose own token is that account's.
		assertMayActAs(user, identity, { guests });
		if (identity && !peer.identify(identity)) throw tooManySockets();
		await this.#become(user);
		this.#client.send({ code: "connected", data: { user } });
	}

	async #watch(wanted: Record<string, boolean | undefined>) {
		const { hub, caller, feeds } = this.#options;
		for (const [name, on] of Object.entries(wanted)) {
			// What a flood has asked for before it was closed is looked up for nobody.
			if (this.#socket.readyState !== this.#socket.OPEN) return;
			if (!on) {
				this.#leave(feedRoom(name));
				continue;
			}
			const isNew = !hub.clients(feedRoom(name)).has(this.#client);
			await this.#enter(feedRoom(name));
			try {
				const list = await caller.call(feeds.get(name)!.snapshot as keyof Actions, {} as never);
				hub.show(name, list, this.#client);
			} catch (error) {
				// Who was told that it does not watch must not be shown anything, or be waited for with what is told meanwhile.
				if (isNew) this.#leave(feedRoom(name));
				throw error;
			}
		}
	}

	async #callCodeless(params: Record<string, unknown>) {
		const { codeless, caller, guests } = this.#options;
		const { identity } = this.#peer;
		assertMayCall(codeless.contract, params, identity, { guests });
		const meta = { caller: identity };
		// Who drains the session waits for it; Moleculer's own list of calls under way is searched through at the end of each.
		const options = { requestID: randomUUID(), meta, tracking: false };
		const answer = await caller.call(codeless.name as keyof Actions, params as never, options);
		const owner = codeless.contract.actor?.(params as never);
		if (this.#client.user === undefined && owner !== undefined) await this.#become(owner);
		this.#client.send({ code: codeless.replyCode, data: answer });
	}

	async #become(user: string) {
		const client = this.#client;
		if (client.user !== undefined && client.user !== user) this.#leave(userRoom(client.user));
		client.user = user;
		await this.#enter(userRoom(user));
	}

	async #enter(room: string) {
		// Whoever has gone has left its rooms for good.
		if (this.#socket.readyState !== this.#socket.OPEN) return;
		this.#options.hub.enter(room, this.#client);
		await this.#options.presence.join(room);
	}

	#leave(room: string) {
		const { hub, presence } = this.#options;
		if (hub.leave(room, this.#client)) presence.leave(room);
	}
}

/** What is heard of the socket is to be told to the session. */
export const openSession = (socket: WebSocket, client: Client, peer: Peer, options: SessionOptions): Session =>
	new SocketSession(socket, client, peer, options);

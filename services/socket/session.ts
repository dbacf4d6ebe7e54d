// One connection on /ws, from its first frame to its last.
import { randomUUID } from "node:crypto";
import type { RawData, WebSocket } from "ws";
import { mayActAs, mayCall } from "../../access.ts";
import type { Actions, Caller } from "../../define.ts";
import type { Client } from "./client.ts";
import { type ClientFrame, type codelessAction, errorFrame, parseFrame, tooManySockets } from "./frames.ts";
import { feedRoom, type Hub, userRoom } from "./hub.ts";
import { type Peer, SIGNED_OUT } from "./peers.ts";
import type { Presence } from "./presence.ts";

export interface SessionOptions {
	hub: Hub;
	presence: Presence;
	caller: Caller;
	guests: boolean;
	feeds: Map<string, { snapshot: string }>;
	codeless: ReturnType<typeof codelessAction>;
	/** Who is at the other end. */
	peer: Peer;
}

/** Calls of one client under way at once; one that sends more is not read from until some are answered. */
const MAX_UNDER_WAY = 256;

export function openSession(socket: WebSocket, client: Client, options: SessionOptions) {
	const { hub, presence, caller, guests, feeds, codeless, peer } = options;
	const underWay = new Set<Promise<unknown>>();

	const enter = async (room: string) => {
		// Whoever has gone has left its rooms for good.
		if (socket.readyState !== socket.OPEN) return;
		hub.enter(room, client);
		await presence.join(room);
	};
	const leave = (room: string) => {
		if (hub.leave(room, client)) presence.leave(room);
	};

	const become = async (user: string) => {
		if (client.user !== undefined && client.user !== user) leave(userRoom(client.user));
		client.user = user;
		await enter(userRoom(user));
	};

	const connect = async ({ user, token }: Extract<ClientFrame, { code: "connect" }>["data"]) => {
		const identity = token === undefined ? peer.identity : await caller.call("users.authenticate", { token });
		// Nothing changes unless all of it does: the room of an account is only for sockets whose own token is that account's.
		mayActAs(user, identity, { guests });
		if (identity && !peer.identify(identity)) throw tooManySockets();
		await become(user);
		client.send({ code: "connected", data: { user } });
	};

	const watch = async (wanted: Record<string, boolean | undefined>) => {
		for (const [name, on] of Object.entries(wanted)) {
			if (!on) {
				leave(feedRoom(name));
				continue;
			}
			const isNew = !hub.clients(feedRoom(name)).has(client);
			await enter(feedRoom(name));
			try {
				const list = await caller.call(feeds.get(name)!.snapshot as keyof Actions, {} as never);
				hub.show(name, list, client);
			} catch (error) {
				// Who was told that it does not watch must not be shown anything, or be waited for with what is told meanwhile.
				if (isNew) leave(feedRoom(name));
				throw error;
			}
		}
	};

	const callCodeless = async (params: Record<string, unknown>) => {
		mayCall(codeless.contract, params, peer.identity, { guests });
		const meta = { caller: peer.identity };
		const answer = await caller.call(codeless.name as keyof Actions, params as never, { requestID: randomUUID(), meta });
		const owner = codeless.contract.actor?.(params as never);
		if (client.user === undefined && owner !== undefined) await become(owner);
		client.send({ code: codeless.replyCode, data: answer });
	};

	const handle = async (frame: ClientFrame) => {
		if (frame.code === "connect") await connect(frame.data);
		else if (frame.code === "watch") await watch(frame.data);
		else await callCodeless(frame.data);
	};

	const answer = async (frame: ClientFrame) => {
		try {
			await handle(frame);
		} catch (error) {
			client.send(errorFrame(error, frame.code === undefined ? frame.data.id : undefined));
		}
	};

	// Frames that change who one is or what one watches are taken in the order they came; calls need not wait for each other. But what comes after
	// a connect waits for it, and a connect for the answers to all that came before: those are the former user's, and go first.
	let inOrder: Promise<unknown> = Promise.resolve();
	let connected = inOrder;
	const take = (data: RawData, isBinary: boolean): Promise<unknown> => {
		let frame: ClientFrame;
		try {
			frame = parseFrame(isBinary ? undefined : String(data), feeds.keys());
		} catch (error) {
			client.send(errorFrame(error));
			return inOrder;
		}
		if (frame.code === undefined) return connected.then(() => answer(frame));
		const before = frame.code === "connect" ? Promise.all(underWay) : inOrder;
		inOrder = before.then(() => answer(frame));
		if (frame.code === "connect") connected = inOrder;
		return inOrder;
	};

	/** Whether a frame may still be taken. */
	const counted = () => {
		if (socket.readyState !== socket.OPEN) return false;
		if (peer.take()) return true;
		client.close(1008, "too many frames");
		return false;
	};

	// A ping costs an answer, like any frame.
	socket.on("ping", counted).on("pong", counted);
	socket.on("message", (data: RawData, isBinary: boolean) => {
		if (!counted()) return;
		const work = take(data, isBinary);
		underWay.add(work);
		if (underWay.size >= MAX_UNDER_WAY) socket.pause();
		void work.finally(() => {
			underWay.delete(work);
			if (socket.isPaused && underWay.size < MAX_UNDER_WAY / 2) socket.resume();
		});
	});

	peer.over = reason => client.close(SIGNED_OUT, reason);
	socket.on("close", () => {
		if (client.user !== undefined) leave(userRoom(client.user));
		for (const name of feeds.keys()) leave(feedRoom(name));
	});

	return {
		/** Takes no more frames; resolves once those taken are answered. */
		async drain() {
			socket.pause();
			await Promise.all(underWay);
		}
	};
}

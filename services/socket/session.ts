// One connection on /ws, from its first frame to its last.
import { randomUUID } from "node:crypto";
import type { RawData, WebSocket } from "ws";
import { mayActAs, mayCall } from "../../access.ts";
import type { Actions, Caller } from "../../define.ts";
import type { TokenBucket } from "../../mixins/limits/token-bucket.ts";
import type { Client } from "./client.ts";
import { type ClientFrame, type codelessAction, errorFrame, parseFrame } from "./frames.ts";
import { feedRoom, type Hub, userRoom } from "./hub.ts";
import type { Presence } from "./presence.ts";

export interface SessionOptions {
	hub: Hub;
	presence: Presence;
	caller: Caller;
	guests: boolean;
	feeds: Map<string, { snapshot: string }>;
	codeless: ReturnType<typeof codelessAction>;
	flood: TokenBucket;
}

/** Calls of one client under way at once; one that sends more is not read from until some are answered. */
const MAX_UNDER_WAY = 256;

export function openSession(socket: WebSocket, client: Client, options: SessionOptions) {
	const { hub, presence, caller, guests, feeds, codeless, flood } = options;
	const underWay = new Set<Promise<void>>();

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
		if (token !== undefined) client.caller = await caller.call("users.authenticate", { token });
		mayActAs(user, client.caller, { guests });
		await become(user);
		client.send({ code: "connected", data: { user } });
	};

	const watch = async (wanted: Record<string, boolean | undefined>) => {
		for (const [name, on] of Object.entries(wanted)) {
			if (!on) {
				leave(feedRoom(name));
				continue;
			}
			await enter(feedRoom(name));
			const list = await caller.call(feeds.get(name)!.snapshot as keyof Actions, {} as never);
			hub.show(name, list, client);
		}
	};

	const callCodeless = async (params: Record<string, unknown>) => {
		mayCall(codeless.contract, params, client.caller, { guests });
		const meta = { caller: client.caller };
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

	const answerErrors = async (work: Promise<void>, id?: unknown) => {
		try {
			await work;
		} catch (error) {
			client.send(errorFrame(error, id));
		}
	};

	// Frames that change who one is or what one watches are taken in the order they came; calls need not wait for each other.
	let inOrder = Promise.resolve();
	const take = (data: RawData, isBinary: boolean): Promise<void> => {
		let frame: ClientFrame;
		try {
			frame = parseFrame(isBinary ? undefined : String(data), feeds.keys());
		} catch (error) {
			client.send(errorFrame(error));
			return inOrder;
		}
		if (frame.code === undefined) return answerErrors(handle(frame), frame.data.id);
		inOrder = inOrder.then(() => answerErrors(handle(frame)));
		return inOrder;
	};

	socket.on("message", (data: RawData, isBinary: boolean) => {
		if (socket.readyState !== socket.OPEN) return;
		if (!flood.take(performance.now())) return client.close(1008, "too many frames");
		const work = take(data, isBinary);
		underWay.add(work);
		if (underWay.size >= MAX_UNDER_WAY) socket.pause();
		void work.finally(() => {
			underWay.delete(work);
			if (socket.isPaused && underWay.size < MAX_UNDER_WAY / 2) socket.resume();
		});
	});

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

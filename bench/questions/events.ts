// The events whose requests are counted, caused by clients of a running system.
import { randomUUID } from "node:crypto";
import { type Account, newShow, openAccount } from "../../test/client.seats.ts";
import { openSocketAs } from "../../test/client.socket.ts";
import { openSocketIo } from "../../test/client.socket-io.ts";
import { expectStatus, httpClient, WAIT_MS } from "../../test/client.ts";
import { within } from "../../test/process.ts";
import { mint, newAccount } from "../../test/tokens.ts";
import type { CountedSystem } from "./counted-system.ts";

export interface Events {
	/** By kind, in the order of the table. Each resolves once a client has seen the effect. */
	play: Record<string, () => Promise<unknown>>;
	close(): void;
}

const STOCK = 1_000_000;
const ADDRESS = { street: "1 Main Street", city: "Athens" };

/** `holds`: how many seats can be held. */
export async function openEvents({ url, wsUrl, append }: CountedSystem, holds: number): Promise<Events> {
	const http = httpClient(url);
	const user_id = `user-${randomUUID()}`;
	const socket = await openSocketAs(wsUrl, user_id);
	/** Resolves with the next frame of this code. */
	const nextFrame = (code: string) => socket.waitFor(frame => frame.code === code, code, { from: socket.frames.length });

	const buyerId = newAccount();
	const headers = { authorization: `Bearer ${await mint(buyerId)}` };
	const { socket: buyer, outcome } = await openSocketIo(url, { auth: { token: headers.authorization.split(" ")[1] } });
	if (outcome !== "connected") throw new Error(`the buyer's Socket.IO client is refused: ${outcome}`);
	const nextEvent = (event: string) =>
		within(new Promise(resolve => buyer.once(event, resolve)), WAIT_MS, () => `the event ${event}`);

	const admin = { authorization: `Bearer ${await mint(newAccount(), { role: "admin" })}` };
	const product = { name: "Olive oil", description: "Cold pressed", price: 12.5, sku: randomUUID(), stock: STOCK };
	const { json } = await expectStatus(201, http.post("/api/products", product, admin));
	const showId = await newShow(
		url,
		Array.from({ length: holds }, (_, n) => `A${n + 1}`)
	);
	const watched = await buyer.timeout(WAIT_MS).emitWithAck("subscribe:seats", { showId });
	if (!watched.ok) throw new Error(`the subscription is refused: ${JSON.stringify(watched)}`);
	/** What is held and not confirmed yet. */
	const open: { holder: Account; holdId: string }[] = [];
	let held = 0;
	const order = { items: [{ productId: json.productId, quantity: 1 }], shippingAddress: ADDRESS };

	return {
		play: {
			pick: () =>
				Promise.all([
					nextFrame("SelectionSummary"),
					expectStatus(202, http.post("/api/selections/async", { name: "d", id: randomUUID(), user_id }))
				]),
			synchronization: () =>
				Promise.all([
					nextFrame("SynchronizationResults"),
					expectStatus(202, http.post("/api/selections/synchronization", { user_id }))
				]),
			async purchase() {
				const balance = nextFrame("balance");
				socket.send({ user_id, amount: 0.01 });
				await balance;
			},
			order: () =>
				Promise.all([
					nextEvent("order:created"),
					nextEvent("inventory:updated"),
					expectStatus(201, http.post("/api/orders", order, headers))
				]),
			async hold() {
				// A buyer may have three open holds of a show.
				const holder = await openAccount(url);
				const [{ json }] = await Promise.all([
					expectStatus(201, holder.hold(showId, [`A${++held}`])),
					nextEvent("seats:updated")
				]);
				open.push({ holder, holdId: json.holdId });
			},
			/** Confirms what an earlier `hold` has held. */
			async confirm() {
				const { holder, holdId } = open.shift()!;
				await Promise.all([expectStatus(200, holder.confirm(holdId)), nextEvent("seats:updated")]);
			},
			async message() {
				const orderId = randomUUID();
				const change = { orderId, status: "shipped", previousStatus: "processing", updatedAt: new Date().toISOString(), buyerId };
				const shown = nextEvent("order:updated");
				await append({ topic: "order.updated", key: orderId, value: JSON.stringify(change) });
				await shown;
			}
		},
		close() {
			socket.close();
			buyer.disconnect();
		}
	};
}

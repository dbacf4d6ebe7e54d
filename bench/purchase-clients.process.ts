// The sockets of the purchase clients, in their own process with as little work per frame as possible. Controlled by purchase-clients.ts.
import { once } from "node:events";
import { WebSocket } from "ws";

export interface LoadRequest {
	ms: number;
	/** Purchases in flight on each socket. */
	inFlight?: number;
	/** Purchases a second over all sockets, without waiting for answers; replaces `inFlight`. */
	perSecond?: number;
}

export interface LoadResult {
	/** Acknowledged purchases of each user, in the order of the sockets. */
	perUser: number[];
	latenciesMs: number[];
}

const ANSWER = Buffer.from('{"code":"purchase"');
const ERROR = Buffer.from('{"code":"error"');
const STEP_MS = 5;

const [url = "", users = "[]", amount = "1"] = process.argv.slice(2);

interface Buyer {
	buy(): void;
	/** Resolves once no purchase is in flight. */
	idle(): Promise<void>;
	answered: number;
}

let latenciesMs: number[] = [];
/** Whether an answered socket buys again. */
let isRunning = false;

async function buyer(user_id: string): Promise<Buyer> {
	const socket = new WebSocket(url, { perMessageDeflate: false, skipUTF8Validation: true });
	const frame = JSON.stringify({ user_id, amount: Number(amount) });
	// Answers may arrive out of order, but all requests are equal: each answer is matched with the oldest request.
	const sentAtMs: number[] = [];
	let resolveIdle = () => {};
	const one: Buyer = {
		answered: 0,
		buy() {
			sentAtMs.push(performance.now());
			socket.send(frame);
		},
		async idle() {
			if (sentAtMs.length > 0) await new Promise<void>(resolve => (resolveIdle = resolve));
		}
	};
	socket.on("message", (data: Buffer) => {
		if (data.subarray(0, ANSWER.length).equals(ANSWER)) {
			one.answered++;
			latenciesMs.push(performance.now() - sentAtMs.shift()!);
			if (isRunning) one.buy();
			else if (sentAtMs.length === 0) resolveIdle();
		} else if (data.subarray(0, ERROR.length).equals(ERROR)) throw new Error(`${user_id} received ${data}`);
	});
	socket.on("close", (code, reason) => {
		throw new Error(`the socket of ${user_id} was closed with ${code} ${reason}`);
	});
	await once(socket, "open");
	return one;
}

const buyers = await Promise.all((JSON.parse(users) as string[]).map(buyer));

async function closedLoop(ms: number, inFlight: number) {
	isRunning = true;
	for (const one of buyers) for (let n = 0; n < inFlight; n++) one.buy();
	await new Promise(resolve => setTimeout(resolve, ms));
	isRunning = false;
}

/** Sends the purchases that are due by the clock, in steps of a few ms, round robin over the sockets. */
async function paced(ms: number, perSecond: number) {
	const startMs = performance.now();
	let sent = 0;
	for (let nowMs = startMs; nowMs - startMs < ms; nowMs = performance.now()) {
		for (const due = ((nowMs - startMs) * perSecond) / 1_000; sent < due; sent++) buyers[sent % buyers.length]!.buy();
		await new Promise(resolve => setTimeout(resolve, STEP_MS));
	}
}

process.on("message", async ({ ms, inFlight = 1, perSecond }: LoadRequest) => {
	latenciesMs = [];
	const before = buyers.map(({ answered }) => answered);
	await (perSecond ? paced(ms, perSecond) : closedLoop(ms, inFlight));
	await Promise.all(buyers.map(one => one.idle()));
	const bought: LoadResult = { perUser: buyers.map(({ answered }, index) => answered - before[index]!), latenciesMs };
	process.send!(bought);
});
process.send!("ready");

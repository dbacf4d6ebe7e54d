// The latency of one Kafka hop, from `send` to the consumer: one message at a time, or at a fixed rate.
import { hops } from "../hops.ts";
import { consume, openProducer } from "./kafka.ts";

const topic = process.env.TOPIC!;
const waiting = new Map<string, (value: void) => void>();
await consume(topic, ({ value }) => waiting.get(JSON.parse(String(value)).n)?.());
const producer = await openProducer();

let sent = 0;
async function hop() {
	const n = String(sent++);
	const value = JSON.stringify({ n, user_id: `user-${n}`, balances: { total: 1.25 } });
	const arrived = new Promise<void>(resolve => waiting.set(n, resolve));
	const startMs = performance.now();
	await Promise.all([
		producer.send({ topic, acks: -1, messages: [{ key: `user-${n}`, value }] }),
		arrived.then(() => waiting.delete(n))
	]);
	return performance.now() - startMs;
}

process.on("message", async ({ ms, perSecond }: { ms: number; perSecond?: number }) =>
	process.send!(await hops(ms, perSecond, hop))
);
process.send!(0);

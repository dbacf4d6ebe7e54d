// One bucket for all nodes, in Redis, and by Redis's clock. A node takes tokens from it in chunks and spends those by itself.
import type { Redis as Client } from "ioredis";
import { deadlineIn } from "../deadline.ts";
import type { Redis } from "../redis.ts";
import { type Limits, memoryLimits } from "./limits.ts";
import type { Rate } from "./token-bucket.ts";

/** KEYS: bucket. ARGV: tokens a second, burst, tokens that are needed, tokens that are wanted. Answers the tokens granted, or minus the ms to wait. */
const LEASE = `
local per_second, burst, needed, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'filled_at_ms')
local passed = math.max(0, now - (tonumber(bucket[2]) or now))
local tokens = math.min(burst, (tonumber(bucket[1]) or burst) + passed / 1000 * per_second)
if tokens < needed then return -math.ceil((needed - tokens) / per_second * 1000) end
local granted = math.max(needed, math.min(math.floor(tokens), wanted))
redis.call('HSET', KEYS[1], 'tokens', tokens - granted, 'filled_at_ms', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / per_second * 1000))
return granted`;

interface LeaseClient extends Client {
	limitLease(keyCount: 1, key: string, perSecond: number, burst: number, needed: number, wanted: number): Promise<number>;
}

interface Waiter {
	tokens: number;
	resolve: (waitMs: number | undefined | Promise<number | undefined>) => void;
}

/** What this node has of one bucket. */
interface Lease {
	tokens: number;
	untilMs: number;
	/** Taken since the last lease without asking. */
	spent: number;
	/** So many tokens are not to be had before then, for nobody gives any back. */
	refused: { tokens: number; untilMs: number };
	/** First come, first served; while there are any, Redis is being asked. */
	waiting: Waiter[];
}

const LEASE_MS = 1_000;
/** A node's own store is at most what the rate gives in so long. */
const CHUNK_MS = 100;
const MAX_KEYS = 100_000;
/** Redis is asked again after so long. */
const AWAY_MS = 1_000;
const PATIENCE_MS = 250;

const sum = (waiting: Waiter[]) => waiting.reduce((total, { tokens }) => total + tokens, 0);

/**
 * Limits that all nodes on one Redis share. Tokens are leased in chunks (twice what was asked for since the last lease, at most a tenth of a
 * second's worth beyond what is asked for just now) and forgotten after a second, so under load a node asks Redis about ten times a second for a
 * key, or once a round trip. How far off that is: over any time no more passes than the bucket gave, but up to one chunk a node may pass a second
 * late, and so on top of a burst; and a client that many nodes serve a little is charged for what they leased and did not spend, about twice what
 * it asked. Rates below 20 a second are exact. While Redis is away, or takes longer than `patienceMs`, each node counts by itself: nobody is
 * refused because of that.
 */
export function redisLimits({ client }: Redis, { patienceMs = PATIENCE_MS } = {}): Limits {
	client.defineCommand("limitLease", { lua: LEASE });
	const leases = new Map<string, Lease>();
	const alone = memoryLimits();
	let aloneUntilMs = 0;
	let sweptAtMs = 0;

	const sweep = (nowMs: number) => {
		sweptAtMs = nowMs;
		for (const [key, { untilMs, refused, waiting }] of leases)
			if (waiting.length === 0 && untilMs < nowMs && refused.untilMs < nowMs) leases.delete(key);
	};

	const leaseOf = (key: string, nowMs: number) => {
		if (nowMs - sweptAtMs > LEASE_MS) sweep(nowMs);
		const known = leases.get(key);
		if (known) return known;
		if (leases.size >= MAX_KEYS) leases.delete(leases.keys().next().value as string);
		const lease: Lease = { tokens: 0, untilMs: 0, spent: 0, refused: { tokens: 0, untilMs: 0 }, waiting: [] };
		leases.set(key, lease);
		return lease;
	};

	const ask = async (key: string, { perSecond, burst }: Rate, lease: Lease) => {
		const [needed, demand] = [lease.waiting[0]!.tokens, sum(lease.waiting)];
		const chunk = Math.floor((perSecond * CHUNK_MS) / 1000);
		const wanted = Math.max(demand, Math.min(chunk, 2 * (demand + lease.spent)));
		const asked = (client as LeaseClient).limitLease(1, `limit:${key}`, perSecond, burst, needed, wanted);
		const answer = await deadlineIn(patienceMs).bound(asked, "Redis");
		const nowMs = performance.now();
		if (answer <= 0) {
			lease.refused = { tokens: needed, untilMs: nowMs - answer };
			for (const { resolve } of lease.waiting.filter(({ tokens }) => tokens >= needed)) resolve(-answer);
			lease.waiting = lease.waiting.filter(({ tokens }) => tokens < needed);
			return;
		}
		lease.tokens = answer + (nowMs < lease.untilMs ? lease.tokens : 0);
		lease.untilMs = nowMs + LEASE_MS;
		lease.spent = 0;
		let served = 0;
		for (const { tokens, resolve } of lease.waiting) {
			if (lease.tokens < tokens) break;
			lease.tokens -= tokens;
			served++;
			resolve(undefined);
		}
		lease.waiting.splice(0, served);
	};

	const serve = async (key: string, rate: Rate, lease: Lease) => {
		while (lease.waiting.length > 0) {
			try {
				await ask(key, rate, lease);
			} catch {
				aloneUntilMs = performance.now() + AWAY_MS;
				for (const { tokens, resolve } of lease.waiting.splice(0)) resolve(alone.take(key, rate, tokens));
			}
		}
	};

	return {
		async take(key, rate, tokens = 1) {
			if (rate.perSecond === 0) return undefined;
			if (tokens > rate.burst) return Number.POSITIVE_INFINITY;
			const nowMs = performance.now();
			if (nowMs < aloneUntilMs) return alone.take(key, rate, tokens);
			const lease = leaseOf(key, nowMs);
			if (nowMs < lease.refused.untilMs && tokens >= lease.refused.tokens) return Math.ceil(lease.refused.untilMs - nowMs);
			if (lease.waiting.length === 0 && nowMs < lease.untilMs && lease.tokens >= tokens) {
				lease.tokens -= tokens;
				lease.spent += tokens;
				return undefined;
			}
			return new Promise(resolve => {
				if (lease.waiting.push({ tokens, resolve }) === 1) void serve(key, rate, lease);
			});
		}
	};
}

// One bucket for all nodes, in Redis and by Redis's clock. A node leases tokens from it in chunks and spends them locally.
import type { Redis as Client } from "ioredis";
import { deadlineIn } from "../deadline.ts";
import type { Redis } from "../redis.ts";
import { type Limits, memoryLimits } from "./limits.ts";
import type { Rate } from "./token-bucket.ts";

/** KEYS: bucket. ARGV: tokens per second, burst, tokens needed, tokens wanted. Returns the tokens granted, or minus the ms to wait. */
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

/** The tokens that this node holds of one bucket. */
interface Lease {
	tokens: number;
	untilMs: number;
	/** Taken since the last lease without a call to Redis. */
	spent: number;
	/** This many tokens are not available before `untilMs`: leased tokens never return. */
	refused: { tokens: number; untilMs: number };
	/** In order of arrival; while there are any, a call to Redis is running. */
	waiting: Waiter[];
}

const LEASE_MS = 1_000;
/** A chunk is at most what the rate gives in this time. */
const CHUNK_MS = 100;
const MAX_KEYS = 100_000;
/** After a failure the node counts alone for this time. */
const ALONE_MS = 1_000;
const TIMEOUT_MS = 250;

const sum = (waiting: Waiter[]) => waiting.reduce((total, { tokens }) => total + tokens, 0);

export interface RedisLimitsOptions {
	timeoutMs?: number;
	/** Whether no other node counts at present: then this node counts in its own memory and does not call Redis. Called for every `take`. */
	isAlone?: () => boolean;
}

/**
 * Limits that all nodes on one Redis share. A node leases tokens in chunks: twice the demand since the last lease, but at most a tenth of a
 * second's worth more than the demand now. A lease expires after a second. So under load a node calls Redis about ten times a second for a key.
 * Accuracy: in total no more is allowed than the bucket gave, but each node may allow up to one chunk a second later, on top of a burst; and a
 * client whose requests are spread over many nodes pays for leased tokens that expire, about twice its demand. Rates below 20 a second are exact.
 * While Redis is unavailable, or takes longer than `timeoutMs`, each node counts alone: no request is refused because of that. Whenever a node
 * begins or ends to count alone, a key may use its burst once more.
 */
export function redisLimits(
	{ client }: Redis,
	{ timeoutMs = TIMEOUT_MS, isAlone = () => false }: RedisLimitsOptions = {}
): Limits {
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

	const request = async (key: string, { perSecond, burst }: Rate, lease: Lease) => {
		const [needed, demand] = [lease.waiting[0]!.tokens, sum(lease.waiting)];
		const chunk = Math.floor((perSecond * CHUNK_MS) / 1000);
		const wanted = Math.max(demand, Math.min(chunk, 2 * (demand + lease.spent)));
		const leasing = (client as LeaseClient).limitLease(1, `limit:${key}`, perSecond, burst, needed, wanted);
		const answer = await deadlineIn(timeoutMs).bound(leasing, "Redis");
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
				await request(key, rate, lease);
			} catch {
				aloneUntilMs = performance.now() + ALONE_MS;
				for (const { tokens, resolve } of lease.waiting.splice(0)) resolve(alone.take(key, rate, tokens));
			}
		}
	};

	return {
		async take(key, rate, tokens = 1) {
			if (rate.perSecond === 0) return undefined;
			if (tokens > rate.burst) return Number.POSITIVE_INFINITY;
			const nowMs = performance.now();
			if (nowMs < aloneUntilMs || isAlone()) return alone.take(key, rate, tokens);
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

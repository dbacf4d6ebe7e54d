// The Lua scripts of the wallet; Redis runs each atomically. A wallet is a hash `wallet:<user_id>` with total_cents, seq (its version) and the
// generation in which it was confirmed.
import type { Redis as Client } from "ioredis";

// Not under `wallet:`, because a user id can be any text.
export const GENERATION_KEY = "wallets:generation";
/** Hash: partition → the offset up to which (exclusive) its totals are in Redis. */
export const APPLIED_KEY = "wallets:applied";
/** Hash: partition → the generation in which the backfill has confirmed all of its users. */
export const BACKFILLED_KEY = "wallets:warm";
export const walletKey = (user: string) => `wallet:${user}`;

/** KEYS: generation, wallets. Returns the generation and, for each wallet, its total if it was confirmed in this generation, else false. */
const READ = `
local generation = redis.call('GET', KEYS[1])
local answer = { generation or '' }
for i = 2, #KEYS do
	local wallet = redis.call('HMGET', KEYS[i], 'generation', 'total_cents')
	answer[i] = generation and wallet[1] == generation and wallet[2]
end
return answer`;

/**
 * KEYS: generation, applied, wallets. ARGV: partition ('' for none), next offset, then seq and total of each wallet.
 * Returns the generation and, for each wallet, its seq before (0 for none), 1 if it was confirmed in this generation, and its seq and total now.
 */
const RAISE = `
local generation = redis.call('GET', KEYS[1])
local answer = { generation or '' }
for i = 3, #KEYS do
	local seq = ARGV[2 * i - 3]
	local total = ARGV[2 * i - 2]
	local wallet = redis.call('HMGET', KEYS[i], 'generation', 'seq', 'total_cents')
	local before = tonumber(wallet[2]) or 0
	local isNewer = tonumber(seq) > before
	if isNewer then redis.call('HSET', KEYS[i], 'seq', seq, 'total_cents', total) end
	answer[i - 1] = { before, generation and wallet[1] == generation and 1 or 0, isNewer and seq or wallet[2], isNewer and total or wallet[3] }
end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
return answer`;

/** KEYS: generation, wallets. ARGV: the required generation, then seq and total of each wallet. Does nothing in another generation. */
const CONFIRM = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return end
for i = 2, #KEYS do
	local seq = ARGV[2 * i - 2]
	if tonumber(seq) >= (tonumber(redis.call('HGET', KEYS[i], 'seq')) or 0) then
		redis.call('HSET', KEYS[i], 'generation', ARGV[1], 'seq', seq, 'total_cents', ARGV[2 * i - 1])
	end
end`;

/**
 * KEYS: generation, applied. ARGV: the expected generation ('' for none), the new one, then the minimum applied offset of each partition.
 * Replaces the generation if it is the expected one; returns the current generation.
 */
const RENEW = `
local generation = redis.call('GET', KEYS[1]) or ''
if generation ~= ARGV[1] then return generation end
redis.call('SET', KEYS[1], ARGV[2])
for i = 3, #ARGV do
	local applied = tonumber(redis.call('HGET', KEYS[2], i - 3)) or 0
	if applied < tonumber(ARGV[i]) then redis.call('HSET', KEYS[2], i - 3, ARGV[i]) end
end
return ARGV[2]`;

type Script<Answer> = (keyCount: number, ...keysAndArguments: (string | number)[]) => Promise<Answer>;

export interface WalletClient extends Client {
	walletRead: Script<[generation: string, ...(string | null)[]]>;
	walletRaise: Script<[generation: string, ...[before: number, isConfirmed: 0 | 1, seq: string, total_cents: string][]]>;
	walletConfirm: Script<null>;
	walletRenew: Script<string>;
}

/** Adds these scripts to the client as commands; ioredis sends EVALSHA, and the source only if the server does not have it. */
export function withScripts(client: Client): WalletClient {
	client.defineCommand("walletRead", { lua: READ });
	client.defineCommand("walletRaise", { lua: RAISE });
	client.defineCommand("walletConfirm", { lua: CONFIRM });
	client.defineCommand("walletRenew", { lua: RENEW });
	return client as WalletClient;
}

// What Redis does in one step. A wallet is a hash `wallet:<user_id>`: total_cents, seq (its version), and the generation it was confirmed in.
import type { Redis as Client } from "ioredis";

// Not under `wallet:`, where a user may have any name.
export const GENERATION_KEY = "wallets:generation";
/** Partition → the next offset whose total is not here yet. */
export const APPLIED_KEY = "wallets:applied";
/** Partition → the generation for which all of its users have been brought back. */
export const BACKFILLED_KEY = "wallets:warm";
export const walletKey = (user: string) => `wallet:${user}`;

/** KEYS: generation, wallets. Answers the generation and the total of each wallet that was confirmed in it, false for any other. */
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
 * Answers the generation and, for each wallet, the seq it had (0 for none), 1 if it was confirmed in this generation, and the seq and total it has now.
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

/** KEYS: generation, wallets. ARGV: the generation that must be in force, then seq and total of each wallet. */
const CONFIRM = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return end
for i = 2, #KEYS do
	local seq = ARGV[2 * i - 2]
	if tonumber(seq) >= (tonumber(redis.call('HGET', KEYS[i], 'seq')) or 0) then
		redis.call('HSET', KEYS[i], 'generation', ARGV[1], 'seq', seq, 'total_cents', ARGV[2 * i - 1])
	end
end`;

/** KEYS: generation, applied. ARGV: the generation that was seen ('' for none), the one to set in its place, then the least offset of each partition. Answers the generation in force. */
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

/** The client with these scripts as commands; ioredis sends each by its hash once the server knows it. */
export function withScripts(client: Client): WalletClient {
	client.defineCommand("walletRead", { lua: READ });
	client.defineCommand("walletRaise", { lua: RAISE });
	client.defineCommand("walletConfirm", { lua: CONFIRM });
	client.defineCommand("walletRenew", { lua: RENEW });
	return client as WalletClient;
}

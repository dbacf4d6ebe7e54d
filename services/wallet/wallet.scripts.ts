// What Redis does in one step. A wallet is a hash `wallet:<user_id>` with total_cents, seq (its version) and the generation that it was written in.
import type { Redis as Client } from "ioredis";

// Not under `wallet:`, where a user may have any name.
export const GENERATION_KEY = "wallets:generation";
/** Partition → the next offset whose total is not here yet. */
export const APPLIED_KEY = "wallets:applied";
/** Partition → the generation for which all of its users have been brought back. */
export const WARM_KEY = "wallets:warm";
export const walletKey = (user: string) => `wallet:${user}`;

/** KEYS: generation, wallets. Answers the generation and, for each wallet of it, seq and total; false for any other. */
const READ = `
local generation = redis.call('GET', KEYS[1])
local answer = { generation or '' }
for i = 2, #KEYS do
	local wallet = redis.call('HMGET', KEYS[i], 'generation', 'seq', 'total_cents')
	answer[i] = generation and wallet[1] == generation and wallet[2] .. ' ' .. wallet[3] or false
end
return answer`;

/**
 * KEYS: generation, applied, wallets. ARGV: partition, next offset, the generation that must be in force ('' for any), then seq and total of each wallet.
 * Answers the generation and the seq that each wallet had in it, false where it had none.
 * A wallet of another generation may be behind the truth, but not ahead of it: what is older than that is older than the truth too, and changes nothing.
 */
const RAISE = `
local generation = redis.call('GET', KEYS[1]) or ''
local answer = { generation }
if ARGV[3] ~= '' and ARGV[3] ~= generation then return answer end
for i = 3, #KEYS do
	local seq = ARGV[2 * i - 2]
	local wallet = redis.call('HMGET', KEYS[i], 'generation', 'seq')
	local had = tonumber(wallet[2])
	local current = wallet[1] == generation
	answer[i - 1] = current and had or false
	if not had or tonumber(seq) > had or (not current and tonumber(seq) == had) then
		redis.call('HSET', KEYS[i], 'generation', generation, 'seq', seq, 'total_cents', ARGV[2 * i - 1])
	end
end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
return answer`;

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
	/** Answers the generation and `seq total` of each wallet. */
	walletRead: Script<[string, ...(string | null)[]]>;
	/** Answers the generation and the seq that each wallet had. */
	walletRaise: Script<[string, ...(number | null)[]]>;
	/** Answers the generation in force. */
	walletRenew: Script<string>;
}

/** The client with these scripts as commands; ioredis sends each by its hash once the server knows it. */
export function withScripts(client: Client): WalletClient {
	client.defineCommand("walletRead", { lua: READ });
	client.defineCommand("walletRaise", { lua: RAISE });
	client.defineCommand("walletRenew", { lua: RENEW });
	return client as WalletClient;
}

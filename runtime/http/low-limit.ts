import { openFilesLimit } from "../open-files.ts";
import { type ConnectionsOptions, limitOf } from "./connections.ts";

/** A warning if the limit of open files allows an address fewer connections than MAX_SOCKETS_PER_ADDRESS; otherwise undefined. */
export function lowLimitWarning(options: Pick<ConnectionsOptions, "maxPerAddress" | "maxTotal">): string | undefined {
	const limit = limitOf(options);
	const { maxPerAddress } = options;
	if (maxPerAddress === 0 || limit >= maxPerAddress) return undefined;
	return `an address may open ${limit} connections, not MAX_SOCKETS_PER_ADDRESS=${maxPerAddress}: raise the limit of open files (ulimit -n), which is ${openFilesLimit()}`;
}

export { embeddedLog } from "../topics/embedded/embedded-log.ts";

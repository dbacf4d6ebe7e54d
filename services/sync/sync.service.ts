import { withTopics } from "../../runtime/drivers.ts";
import { sync } from "./sync.ts";

export default sync([withTopics()]);

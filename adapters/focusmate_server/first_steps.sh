post() { url={http}$1 body=$2; shift 2; printf '%s\n' "$(curl -sS "$url" -H 'Content-Type: application/json' -d "$body" "$@")"; }
field() { sed 's/.*"'$1'":"\([^"]*\)".*/\1/'; }

post /v1/accounts '{"email":"ada@example.org","username":"ada","password":"a quiet morning"}'
post /v1/accounts '{"email":"ben@example.org","username":"ben","password":"a quiet morning"}'
ADA=$(post /v1/tokens '{"login":"ada","password":"a quiet morning"}' | field access_token)
BEN=$(post /v1/tokens '{"login":"ben","password":"a quiet morning"}' | field access_token)

ROOM=$(post /v1/rooms '{"name":"Deep work"}' -H "Authorization: Bearer $ADA" | field id)
post "/v1/rooms/$ROOM/join" '{}' -H "Authorization: Bearer $BEN"

{python} -c '
import json, sys, trio, trio_websocket
async def watch(url, token, stream):
    async with trio_websocket.open_websocket_url(url) as watcher:
        await watcher.send_message(json.dumps({"do": "sign_in", "with": {"token": token}}))
        await watcher.send_message(json.dumps({"do": "subscribe", "with": {"stream": stream}}))
        seen = ""
        while "timer.started" not in seen:
            print("Ben sees", seen := await watcher.get_message(), flush=True)
trio.run(watch, *sys.argv[1:])
' {realtime} "$BEN" "room:$ROOM" | {
  for STEP in signed-in watching; do read -r SEEN; printf '%s\n' "$SEEN"; done
  post "/v1/rooms/$ROOM/timer/start" '{}' -H "Authorization: Bearer $ADA"
  cat
}

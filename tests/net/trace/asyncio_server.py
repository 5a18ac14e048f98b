# asyncio_server.py PORT: streams; with a second word every fifth one is kept.
import asyncio, sys
kept, count = [], 0
async def on_client(reader, writer):
    global count
    count += 1
    mine = count
    while data := await reader.read(4096):
        writer.write(data) # LINE write
    if len(sys.argv) > 2 and mine % 5 == 0:
        kept.append(writer)
        return
    writer.close() # LINE close
async def main():
    server = await asyncio.start_server(on_client, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()
asyncio.run(main()) # LINE loop

import sys,time,io,datetime as dt, numpy as np
from benchmarks.installation import installation
from benchmarks.memory import pss_mb, children
from PIL import Image
def clock(n,hz,fmt):
    t0=dt.datetime(2026,11,1,0,0,0)
    return "\n".join(["time,fhr,toco"]+[f"{(t0+dt.timedelta(seconds=k/hz)).strftime(fmt)[:12 if 'f' in fmt and 'Y' not in fmt else 40]},{140+k%9},{10+k%5}" for k in range(n)]).encode()
N=24*3600*4
rng=np.random.default_rng(0)
def png(w,h):
    st=io.BytesIO(); Image.fromarray(rng.integers(0,255,(h,w),dtype=np.uint8)).save(st,"PNG",compress_level=1); return st.getvalue()
def flat(w,h):
    st=io.BytesIO(); Image.fromarray(np.zeros((h,w),np.uint8)).save(st,"PNG"); return st.getvalue()
cases={
 "24h clock iso": [("ctg",("a.csv",clock(N,4,"%Y-%m-%dT%H:%M:%S.%f")))],
 "24h clock hms": [("ctg",("a.csv",clock(N,4,"%H:%M:%S.%f")))],
 "24h seconds": [("ctg",("a.csv",("t,fhr,uc\n"+"\n".join(f"{k/4},{140+k%9},{10+k%5}" for k in range(N))).encode()))],
 "24h plain": [("ctg",("a.csv",("# fs: 4\nfhr,uc\n"+"\n".join(f"{140+k%9},{10+k%5}" for k in range(N))).encode()))],
 "24h json": [("ctg",("a.json",('{"sampling_rate_hz":4,"fhr_bpm":['+",".join(str(140+k%9) for k in range(N))+']}').encode()))],
 "3000 columns": [("ctg",("a.csv",(",".join(["x"]*3000)+"\n"+"1\n"*40000).encode()))],
 "32MB one column": [("ctg",("a.csv",b"fhr\n"+b"140\n"*8_000_000))],
 "36MB json": [("ctg",("a.json",b"["*100000)),],
 "60 png": [("image",(f"{k}.png",flat(5000,5000))) for k in range(60)],
 "8 png 25MP": [("image",(f"{k}.png",flat(5000,5000))) for k in range(8)],
 "8 png 1MP": [("image",(f"{k}.png",png(1200,900))) for k in range(8)],
}
with installation() as place:
    place.user("u"); s=place.serve(); c=place.client("u")
    c.post("/api/v1/assessments",json={"patient":{"pseudonym":"w"},"scan":{"head_circumference_mm":262}})
    for name,files in cases.items():
        t=time.perf_counter()
        r=c.post("/api/v1/assessments",data={"patient":"P","pixel_size_mm":"0.1" } if files[0][0]=="image" else {"patient":"P"},files=files)
        d=time.perf_counter()-t
        print(f"{name:18s} {sum(len(f[1][1]) for f in files)/1e6:6.1f} MB {r.status_code} {d:6.2f} s web {pss_mb(s.pid):.0f} {[round(pss_mb(x)) for x in children(s.pid)]}", r.text[:200] if r.status_code!=201 else r.json()["result"]["state"],flush=True)

import time, io, statistics, httpx
from PIL import Image
from benchmarks.installation import installation
from benchmarks.memory import pss_mb, children
from models.synthetic.heads import phantom
from models.synthetic.traces import as_wfdb, trace
from models.ultrasound.ellipse import Ellipse
with installation() as place:
    place.user("u"); s=place.serve()
    print("idle", pss_mb(s.pid), [(c,pss_mb(c)) for c in children(s.pid)])
    c=place.client("u")
    im=[]
    for k in range(20):
        st=io.BytesIO(); Image.fromarray(phantom(Ellipse(400,270,230,180,.1),seed=k)).save(st,"PNG"); im.append(st.getvalue())
    def post(k,key="P"):
        ctg=as_wfdb(trace(minutes=60,seed=k).recording,"hour")
        files=[("ctg",(n,b)) for n,b in ctg.items()]+[("image",("a.png",im[k]))]
        t=time.perf_counter()
        r=c.post("/api/v1/assessments",data={"patient":f"{key}-{k}","scan_gestational_age":"28+0","pixel_size_mm":"0.18"},files=files)
        assert r.status_code==201,r.text
        return time.perf_counter()-t
    print("first",post(0),post(1))
    print([round(post(k),3) for k in range(2,20)])
    print("warm", pss_mb(s.pid), [(x,round(pss_mb(x))) for x in children(s.pid)])
    for path in ("/","/assessments/5","/assessments/5","/patients","/patients/P-4","/audit"):
        t=time.perf_counter(); r=c.get(path,headers={"accept":"text/html"}); print(path,r.status_code,round(time.perf_counter()-t,3))
    print("pages", pss_mb(s.pid), [(x,round(pss_mb(x))) for x in children(s.pid)])

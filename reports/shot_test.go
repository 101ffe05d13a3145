package reports
import ("testing";"os";"bytes")
func TestShot(t *testing.T){
 dir:=os.Getenv("SHOT"); if dir=="" {t.Skip()}
 r:=fixture(t)
 var b bytes.Buffer
 if err:=HTML(&b,r);err!=nil{t.Fatal(err)}
 os.WriteFile(dir+"/report.html",b.Bytes(),0o644)
 b.Reset(); Terminal(&b,r,TerminalOptions{Width:120}); os.WriteFile(dir+"/t.txt",b.Bytes(),0o644)
 b.Reset(); Markdown(&b,r); os.WriteFile(dir+"/r.md",b.Bytes(),0o644)
 b.Reset(); JUnit(&b,r); os.WriteFile(dir+"/j.xml",b.Bytes(),0o644)
 b.Reset(); JSON(&b,r); os.WriteFile(dir+"/r.json",b.Bytes(),0o644)
}
